package slim

func parseEventJSON(edition Edition, b []byte) (*Event, error) {
	o, err := openRecord("event", b)
	if err != nil {
		return nil, err
	}
	e := readEvent(o, edition)
	if err := o.finish(); err != nil {
		return nil, err
	}
	return e, nil
}

func readEvent(o *object, edition Edition) *Event {
	e := &Event{
		ID:      o.text("id"),
		GroupID: o.optionalText("group_id"),
		Name:    o.text("name"),
	}
	if edition == Edition2 {
		e.Status = o.text("status")
	}
	e.Category = o.text("category")
	if edition == Edition1 || o.has("start_at") {
		startAt := o.integer("start_at")
		e.StartAt = &startAt
	}
	e.FinishAt = o.integer("finish_at")
	if edition == Edition2 {
		e.Offset = o.number("offset")
	}
	e.Media = o.optionalText("media")
	if edition == Edition1 {
		e.Timezone = o.optionalText("timezone")
	}
	e.Description = o.optionalText("description")
	if edition == Edition2 || o.has("organizer") {
		e.Organizer = readOrganizer(o.child("organizer"), edition)
	}
	if o.has("venue") {
		e.Venue = readVenue(o.child("venue"))
	}
	return e
}

func readOrganizer(o *object, edition Edition) *Organizer {
	organizer := &Organizer{ID: o.text("id"), Name: o.text("name")}
	if o.has("legals") {
		organizer.Legals = readLegals(o.child("legals"), edition)
	}
	o.end()
	return organizer
}

func readLegals(o *object, edition Edition) *Legals {
	l := new(Legals)
	if edition == Edition1 {
		l.Name = o.text("name")
		l.Type = o.text("type")
	} else {
		l.Name = o.optionalText("name")
		l.Type = o.optionalText("type")
	}
	l.INN = o.optionalText("inn")
	l.OGRN = o.optionalText("ogrn")
	l.Address = o.optionalText("address")
	o.end()
	return l
}

func readVenue(o *object) *Venue {
	v := &Venue{
		ID:          o.text("id"),
		Name:        o.text("name"),
		Address:     o.optionalText("address"),
		Description: o.optionalText("description"),
		Zipcode:     o.optionalText("zipcode"),
		CityName:    o.optionalText("city_name"),
		Lat:         o.optionalNumber("lat"),
		Lon:         o.optionalNumber("lon"),
	}
	o.end()
	return v
}

func parseOrderJSON(edition Edition, b []byte) (*Order, error) {
	o, err := openRecord("order", b)
	if err != nil {
		return nil, err
	}
	order := &Order{ID: o.text("id")}
	if edition == Edition2 {
		order.Number = o.text("number")
	}
	order.Customer = readCustomer(o.child("customer"), edition)
	for _, ticket := range o.children("tickets") {
		order.Tickets = append(order.Tickets, readTicket(ticket, edition))
	}
	if err := o.finish(); err != nil {
		return nil, err
	}
	return order, nil
}

func readCustomer(o *object, edition Edition) Customer {
	c := Customer{Email: o.text("email"), Phone: o.text("phone")}
	if edition == Edition1 {
		c.Name = o.optionalText("name")
	} else {
		c.FirstName = o.optionalText("first_name")
		c.LastName = o.optionalText("last_name")
	}
	o.end()
	return c
}

func readTicket(o *object, edition Edition) Ticket {
	t := Ticket{ID: o.text("id"), EventID: o.text("event_id")}
	if edition == Edition1 {
		t.OrganizerID = o.text("organizer_id")
	}
	t.Barcode = o.text("barcode")
	t.Number = o.optionalText("number")
	t.Series = o.optionalText("series")
	t.Row = o.optionalText("row")
	t.Seat = o.optionalText("seat")
	t.Category = o.text("category")
	t.Description = o.optionalText("description")
	if o.has("price_nominal") {
		t.PriceNominal = o.integer("price_nominal")
	}
	t.Currency = o.optionalText("currency")
	o.end()
	return t
}

func parseRefundJSON(edition Edition, b []byte) (*Refund, error) {
	o, err := openRecord("refund", b)
	if err != nil {
		return nil, err
	}
	r := &Refund{
		Customer:  readCustomer(o.child("customer"), edition),
		TicketIDs: o.texts("ticket_ids"),
	}
	if err := o.finish(); err != nil {
		return nil, err
	}
	return r, nil
}
