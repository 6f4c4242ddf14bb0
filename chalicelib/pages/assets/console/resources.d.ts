// The API's resources as the console's scripts name them. `make lint-scripts` generates #openapi from docs/openapi.json.
import type { components } from "#openapi";

type Schemas = components["schemas"];

export type Booking = Schemas["Booking"];
export type BookingPage = Schemas["BookingPage"];
export type BulkResults = Schemas["BulkResults"];
export type CreatedLinks = Schemas["CreatedLinks"];
export type DateOverride = Schemas["DateOverride"];
export type EventType = Schemas["EventType"];
export type EventTypeInput = Schemas["EventTypeInput"];
export type Fault = Schemas["Fault"];
export type HistoryEntry = Schemas["HistoryEntry"];
export type HistoryPage = Schemas["HistoryPage"];
export type Host = Schemas["Host"];
export type ImportPreview = Schemas["ImportPreview"];
export type ImportRow = Schemas["ImportRow"];
export type Interval = Schemas["Interval"];
export type Link = Schemas["Link"];
export type LinkPage = Schemas["LinkPage"];
export type LinkRequest = Schemas["LinkRequest"];
export type LinkRequestPage = Schemas["LinkRequestPage"];
export type AnsweredLinkRequest = Schemas["AnsweredLinkRequest"];
export type Location = Schemas["Location"];
export type MailTo = Schemas["MailTo"];
export type Me = Schemas["Me"];
export type Overrides = Schemas["Overrides"];
export type Problem = Schemas["Problem"];
export type Question = Schemas["Question"];
export type QueuedEmail = Schemas["QueuedEmail"];
export type SavedEventType = Schemas["SavedEventType"];
export type SavedLink = Schemas["SavedLink"];
export type Schedule = Schemas["Schedule"];
export type SettingsWarning = Schemas["SettingsWarning"];
export type Share = Schemas["Share"];
export type Slot = Schemas["Slot"];
export type WeeklyHours = Schemas["WeeklyHours"];

/** An event type as far as the console knows it: one that was archived meanwhile has only a title. */
export type KnownEventType = Pick<EventType, "title" | "archivedAt" | "questions">;

/** The settings of a link, as `POST /v1/links` and `PATCH /v1/links/{linkId}` take them. */
export type LinkSettings = Pick<
  Link,
  "maxUsageCount" | "expiresAt" | "notBefore" | "recipient" | "label" | "restoreUseOnCancel" | "overrides"
>;
