package intake

// DecodeByReflection is what the other messages are decoded with.
var DecodeByReflection = decode
