// The slim records of Ticketscloud in JSON, edition 2.0. Ignore fields that you do not know: new ones may come.

/** The value of a record of the events topic. Its key is id. An upsert: the newest record of a key is the truth. */
export interface Event {
  /** Id of the event, and the key of the record. */
  id: string;
  /** Id of the group of events that this one belongs to. */
  group_id?: string;
  /** Title. */
  name: string;
  /** Whether tickets are on sale. */
  status: Status;
  /** Kind of event. */
  category: Category;
  /** Begin, in Unix milliseconds. Left out when it is not known. */
  start_at?: number;
  /** End, in Unix milliseconds. */
  finish_at: number;
  /** Local time at the venue: hours east of UTC at the begin, fractions allowed. */
  offset: number;
  /** URL of an image. */
  media?: string;
  /** Text for visitors; may be long. */
  description?: string;
  /** Who holds the event. */
  organizer: Organizer;
  /** Where it takes place. */
  venue?: Venue;
}

/** Who holds an event. */
export interface Organizer {
  /** Id of the organizer. */
  id: string;
  /** Name for visitors. */
  name: string;
  /** The organizer as a legal entity. */
  legals?: Legals;
}

/** An organizer as a legal entity. */
export interface Legals {
  /** Registered name. */
  name?: string;
  /** ru_lp: a Russian sole trader; ru_ltd: a Russian limited company; en_ltd: a foreign company. */
  type?: LegalType;
  /** Russian taxpayer number. */
  inn?: string;
  /** Russian registration number. */
  ogrn?: string;
  /** Registered address. */
  address?: string;
}

/** Where an event takes place. */
export interface Venue {
  /** Id of the venue. */
  id: string;
  /** Name. */
  name: string;
  /** Street address. */
  address?: string;
  /** Text for visitors. */
  description?: string;
  /** Postal code. */
  zipcode?: string;
  /** City. */
  city_name?: string;
  /** Latitude in degrees. */
  lat?: number;
  /** Longitude in degrees. */
  lon?: number;
}

/** The value of a record of the orders topic: an order that is done. Its key is id. An upsert: the newest record of a key is the truth. The record of its event is in the events topic before it. */
export interface Order {
  /** Id of the order, and the key of the record. */
  id: string;
  /** Number of the order for people. */
  number: string;
  /** Who bought. */
  customer: Customer;
  /** What was bought. */
  tickets: [Ticket, ...Ticket[]];
}

/** Who bought. Personal data. */
export interface Customer {
  /** E-mail address; empty when there is none. */
  email: string;
  /** Telephone number in E.164. */
  phone: string;
  /** First name. */
  first_name?: string;
  /** Last name. */
  last_name?: string;
}

/** One ticket of an order. */
export interface Ticket {
  /** Id of the ticket. */
  id: string;
  /** Id of the event. */
  event_id: string;
  /** What the ticket shows at the door; empty when there is none. */
  barcode: string;
  /** Number of the ticket. */
  number?: string;
  /** Series of the ticket. */
  series?: string;
  /** Row of the seat. */
  row?: string;
  /** Seat in the row. */
  seat?: string;
  /** Name of the group of seats; empty when it is not known. */
  category: string;
  /** Text about the group of seats. */
  description?: string;
  /** Price without discounts and fees, in minor units of the currency. */
  price_nominal?: number;
  /** Currency of the price. */
  currency?: Currency;
}

/** The value of a record of the refunds topic: a refund request that is approved. Its key is the id of the request. An upsert: the newest record of a key is the truth. The record of its order is in the orders topic before it. */
export interface Refund {
  /** The customer of the order. */
  customer: Customer;
  /** Ids of the tickets that are given back. */
  ticket_ids: [string, ...string[]];
}

export type Status =
  | "active"
  | "paused"
  | "finished"
  | "cancelled";

export type Category =
  | "ballet"
  | "business"
  | "concert"
  | "excursion"
  | "exhibition"
  | "festival"
  | "health"
  | "kids"
  | "movie"
  | "museum"
  | "party"
  | "show"
  | "sport"
  | "test"
  | "theater"
  | "other"
  | "circus"
  | "development"
  | "games"
  | "musical"
  | "standup"
  | "workshop";

export type LegalType =
  | "ru_lp"
  | "ru_ltd"
  | "en_ltd";

export type Currency =
  | "USD"
  | "EUR"
  | "RUB"
  | "GBP"
  | "CNY";
