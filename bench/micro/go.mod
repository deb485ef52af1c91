// The microbenchmarks of docs/decisions: a module of its own, so that libraries that lose are no part of the product.
module github.com/ticketscloud/vibe-bridge/bench/micro

go 1.26.0

require (
	github.com/ticketscloud/vibe-bridge v0.0.0
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
)

replace github.com/ticketscloud/vibe-bridge => ../..
