package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// messageNames are the keys of messages in the document, by encoding.
var messageNames = map[slim.Encoding]string{
	{Edition: slim.Edition1, Format: slim.JSON}: "1", {Edition: slim.Edition1, Format: slim.Protobuf}: "1Protobuf", {Edition: slim.Edition2, Format: slim.JSON}: "2",
}

// asyncAPI is what the tests look at.
type asyncAPI struct {
	Servers  map[string]struct{ Host, Protocol string }
	Channels map[string]struct {
		Address  string
		Messages map[string]reference
		Bindings struct {
			Kafka struct {
				Topic              string
				TopicConfiguration struct {
					Policy []string `yaml:"cleanup.policy"`
					Max    int      `yaml:"max.message.bytes"`
				} `yaml:"topicConfiguration"`
			}
		}
	}
	Components struct {
		SecuritySchemes map[string]struct{ Type string } `yaml:"securitySchemes"`
		Messages        map[string]struct {
			Name             string
			ContentType      string `yaml:"contentType"`
			Headers, Payload reference
		}
		Schemas map[string]struct {
			Required   []string
			Properties map[string]struct{ Const string }
		}
	}
}

type reference struct {
	Ref string `yaml:"$ref"`
}

// The document is written by hand: this holds it against what the bridge writes.
func TestAsyncAPIIsTheContract(t *testing.T) {
	var doc asyncAPI
	if err := yaml.Unmarshal(published(t, "asyncapi.yaml"), &doc); err != nil {
		t.Fatal(err)
	}
	if got := len(doc.Components.Messages); got != len(messageNames)*len(streams) {
		t.Errorf("%d messages", got)
	}
	topics := config.Default().Slim
	for stream, topic := range map[schemacheck.Stream]string{schemacheck.Events: topics.Events, schemacheck.Orders: topics.Orders, schemacheck.Refunds: topics.Refunds} {
		channel := doc.Channels[topic]
		kafka := channel.Bindings.Kafka
		policy := "compact"
		if stream == schemacheck.Refunds {
			policy = "delete"
		}
		if channel.Address != topic || kafka.Topic != topic || !slices.Equal(kafka.TopicConfiguration.Policy, []string{policy}) ||
			kafka.TopicConfiguration.Max != config.Default().MaxMessageBytes || len(channel.Messages) != len(messageNames) {
			t.Errorf("channel %s: %+v", topic, channel)
		}
		for enc, suffix := range messageNames {
			name := string(stream) + suffix
			message := doc.Components.Messages[name]
			if channel.Messages[name].Ref != "#/components/messages/"+name {
				t.Errorf("channel %s has no %s", topic, name)
			}
			if message.ContentType != enc.ContentType() {
				t.Errorf("%s is %s", name, message.ContentType)
			}
			headers := doc.Components.Schemas[strings.TrimPrefix(message.Headers.Ref, "#/components/schemas/")]
			want := []string{slim.HeaderContentType, slim.HeaderSchemaVersion, slim.HeaderApplicationID}
			if !slices.Equal(headers.Required, want) {
				t.Errorf("%s requires headers %q", name, headers.Required)
			}
			if got := slices.Sorted(maps.Keys(headers.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(append(want, slim.HeaderBridgeSource)))) {
				t.Errorf("%s has headers %q", name, got)
			}
			if headers.Properties[slim.HeaderContentType].Const != enc.ContentType() || headers.Properties[slim.HeaderSchemaVersion].Const != enc.SchemaVersion() {
				t.Errorf("%s has other values of headers: %+v", name, headers)
			}
			payload, called := fmt.Sprintf("./%v/%s.schema.json", enc.Edition, stream), typeNames[string(stream)]
			if enc.Format == slim.Protobuf {
				payload, called = "", "vibe.v1."+called
				if !strings.Contains(string(published(t, "1.0/vibe.proto")), "\nmessage "+typeNames[string(stream)]+" {") {
					t.Errorf("%s is not in the published file", called)
				}
			}
			if message.Payload.Ref != payload || message.Name != called {
				t.Errorf("%s is %q with payload %q", name, message.Name, message.Payload.Ref)
			}
		}
	}
	for name, server := range doc.Servers {
		if !strings.HasSuffix(server.Host, ".example.com:9091") || server.Protocol != "kafka-secure" {
			t.Errorf("server %s: %+v", name, server)
		}
	}
	if len(doc.Servers) != 2 || doc.Components.SecuritySchemes["scram"].Type != "scramSha512" {
		t.Errorf("servers %v, login %v", doc.Servers, doc.Components.SecuritySchemes)
	}
}

// The parser of the AsyncAPI initiative checks the document against the JSON Schema of AsyncAPI 3 and its own rules, and
// follows the references into the schemas.
func TestAsyncAPIParses(t *testing.T) {
	out, err := readersTool(t, "@asyncapi/parser/package.json", "testdata/node/asyncapi.mjs", "asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type message struct {
		ContentType string
		Properties  []string
		Headers     struct{ Required []string }
		Key         struct{ Type string }
	}
	var channels map[string]map[string]message
	if err := json.Unmarshal([]byte(out), &channels); err != nil {
		t.Fatal(err)
	}
	for _, stream := range streams {
		messages := channels[string(stream)+"s"]
		for enc, suffix := range messageNames {
			m := messages[string(stream)+suffix]
			var properties []string
			if enc.Format == slim.JSON {
				schema := decoded(t, published(t, fmt.Sprintf("%v/%s.schema.json", enc.Edition, stream))).(map[string]any)
				properties = slices.Sorted(maps.Keys(schema["properties"].(map[string]any)))
			}
			if m.ContentType != enc.ContentType() || !slices.Equal(slices.Sorted(slices.Values(m.Properties)), properties) || m.Key.Type != "string" || len(m.Headers.Required) != 3 {
				t.Errorf("%s%s: %+v", stream, suffix, m)
			}
		}
	}
}
