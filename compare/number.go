package compare

import "strconv"

// canonicalNumber is the text of a number in a cell: the shortest decimal that reads
// back as the same float64, without an exponent. -0 is 0. What is not finite, which JSON
// cannot say, is "NaN", "+Inf" or "-Inf".
func canonicalNumber(v float64) string {
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
