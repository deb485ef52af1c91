// Package schemas holds what the bridge publishes for the teams that read the slim topics: JSON Schema 2020-12, TypeScript
// types and an example of every record in both editions, the Protobuf file of edition 1.0, and one AsyncAPI 3 document.
//
// Here belong published files alone. All but asyncapi.yaml are written by internal/schemagen, which refuses to write what
// would break a reader; internal/schemacheck holds records against them. docs/integration.md explains them.
package schemas

import "embed"

// Files has the published files by their names below this folder, such as "1.0/event.schema.json".
//
//go:embed 1.0 2.0 asyncapi.yaml
var Files embed.FS
