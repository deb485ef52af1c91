// Package directory knows what the legacy streams only refer to by id: the
// names of event categories, and venues with their city and time zone.
//
// The knowledge comes from a JSON file of the deployment (the mapping
// contract, "Directory") and from a table that translates category names into
// the enum words of the slim editions. Both are data; the built-in table is
// categories.yaml in this folder.
//
// What belongs here: reading and checking these files, answering look-ups, and
// noticing that the file changed. What does not: deciding what an event without
// a venue or category becomes (package mapping), counting what could not be
// found (package processors), and reading flags or the environment (cmd).
package directory

import (
	// Time zones must resolve alike on every machine, also in an image that
	// ships no zone files.
	_ "time/tzdata"
)
