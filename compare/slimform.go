package compare

import (
	"slices"
	"strconv"
	"sync"
	"time"
	_ "time/tzdata" // zones must have the same offsets on every machine
)

// toForm brings cells of the side's own edition to the form. Cells with a text that is
// not of their type stay as they are.
func (r *SlimReader) toForm(schema *slimSchema, into *Sheet) {
	cells := into.Cells
	if r.opt.Form.Edition == 0 {
		switch {
		case schema.stream == Events && r.opt.Edition == 1:
			cells[schema.offset].Text = r.offset(cells[schema.zone].Text, cells[schema.start].Text, cells[schema.finish].Text)
		case schema.stream == Events:
			eventTo1(schema, cells)
		case r.opt.Edition == 1:
			cells[schema.firstName].Text, cells[schema.lastName].Text = splitName(cells[schema.name].Text)
		}
	}
	if schema.stream == Events && r.opt.Form.Protobuf {
		dropZero(&cells[schema.lat])
		dropZero(&cells[schema.lon])
	}
	for _, i := range schema.drop {
		cells[i].Text = ""
	}
	if len(schema.dropItem) > 0 {
		for i := range into.Items {
			for _, j := range schema.dropItem {
				into.Items[i].Cells[j].Text = ""
			}
		}
	}
}

func dropZero(c *Cell) {
	if c.Text == "0" {
		c.Text = ""
	}
}

// categoriesOf1 are what edition 1.0 calls the categories that only 2.0 has
// (contract/mapping.md, category names).
var categoriesOf1 = map[string]string{
	"circus": "show", "games": "other", "musical": "theater", "standup": "show", "workshop": "other", "development": "develpoment",
}

// eventTo1 makes times, the category and the legal name of an event of edition 2.0 those of 1.0.
func eventTo1(schema *slimSchema, cells []Cell) {
	if word, ok := categoriesOf1[cells[schema.category].Text]; ok {
		cells[schema.category].Text = word
	}
	for _, i := range []int{schema.start, schema.finish} {
		if ms, err := strconv.ParseInt(cells[i].Text, 10, 64); err == nil {
			cells[i].Text = strconv.FormatInt(floorSeconds(ms), 10)
		}
	}
	if cells[schema.start].Text == "" {
		cells[schema.start].Text = cells[schema.finish].Text
	}
	if legals := cells[schema.legalName : schema.legalAddress+1]; legals[0].Text == "" && slices.ContainsFunc(legals, func(c Cell) bool { return c.Text != "" }) {
		legals[0].Text = cells[schema.organizerName].Text // as 1.0 fills it in
	}
}

func floorSeconds(ms int64) int64 {
	s := ms / 1000
	if ms%1000 < 0 {
		s--
	}
	return s
}

// offset is that of a zone at the start or else the finish, in hours; "" when it cannot be told.
func (r *SlimReader) offset(zone, start, finish string) string {
	location := r.opt.DefaultZone
	if zone != "" {
		location = r.zones.get(zone)
	}
	moment, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		moment, err = strconv.ParseInt(finish, 10, 64)
	}
	if err != nil || location == nil {
		return ""
	}
	_, seconds := time.Unix(moment, 0).In(location).Zone()
	return canonicalNumber(float64(seconds) / 3600)
}

// zoneCache keeps zones by name: loading one takes longer than reading a record.
type zoneCache struct {
	zones sync.Map // *time.Location by name
}

// get returns nil for what is no zone.
func (c *zoneCache) get(name string) *time.Location {
	if zone, ok := c.zones.Load(name); ok {
		return zone.(*time.Location)
	}
	if name == "Local" {
		return nil // means another zone on every machine
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil // not kept: there are as many names as records can have
	}
	c.zones.Store(name, zone)
	return zone
}
