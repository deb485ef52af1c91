package compare

import "time"

type Expected struct{}
type ExpectedQuery struct {
	Stream                  Stream
	Category                Category
	Field, ID               string
	LeftAbsent, RightAbsent bool
}
type ExpectedMatch struct {
	Rule    string
	Expired bool
}

func (e *Expected) Match(ExpectedQuery, time.Time) ExpectedMatch       { return ExpectedMatch{} }
func (e *Expected) Counts(map[string]int64, time.Time) []ExpectedCount { return nil }
