package slim

import "strconv"

// Names of the headers on every slim record.
const (
	HeaderContentType   = "content-type"
	HeaderSchemaVersion = "schema-version"
	HeaderApplicationID = "application-id"
	HeaderBridgeSource  = "bridge-source"
)

// DefaultApplicationID is the application-id where the configuration names
// none.
const DefaultApplicationID = "ticketscloud"

// Header is a record header. Value is UTF-8 text.
type Header struct {
	Key   string
	Value []byte
}

// Headers returns the headers of a record, always in the same order:
// content-type, schema-version, application-id, bridge-source. source is what
// [Source] returns; "" leaves bridge-source out. The caller owns the slice and
// the values.
func Headers(enc Encoding, applicationID, source string) []Header {
	headers := make([]Header, 0, 4)
	headers = append(headers,
		Header{HeaderContentType, []byte(enc.ContentType())},
		Header{HeaderSchemaVersion, []byte(enc.SchemaVersion())},
		Header{HeaderApplicationID, []byte(applicationID)},
	)
	if source == "" {
		return headers
	}
	return append(headers, Header{HeaderBridgeSource, []byte(source)})
}

// Source names the legacy record that caused a slim one: topic/partition/offset.
func Source(topic string, partition int32, offset int64) string {
	return topic + "/" + strconv.FormatInt(int64(partition), 10) + "/" + strconv.FormatInt(offset, 10)
}
