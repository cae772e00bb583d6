// Reads an iCalendar file from the standard input and prints what calendars of others see in it.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
const component = calendar.getFirstSubcomponent("vevent");
const event = new ICAL.Event(component);
console.log(JSON.stringify({
  method: calendar.getFirstPropertyValue("method"),
  uid: event.uid,
  sequence: event.sequence,
  status: component.getFirstPropertyValue("status"),
  starts: event.startDate.toJSDate().toISOString(),
  ends: event.endDate.toJSDate().toISOString(),
  summary: event.summary,
  location: event.location,
}));
