// The main job with types and a client generated from the API description: compiled with --strict, run by Node.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

const [baseUrl, apiKey] = process.argv.slice(2) as [string, string];
const team = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${apiKey}` } });
const invitee = createClient<paths>({ baseUrl });

type Problem = components["schemas"]["Problem"];

function ok<T>(answer: { data?: T; error?: Problem; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

// A keyless retry gets only the time, any other redeem the whole booking.
function whole(answer: components["schemas"]["Booking"] | components["schemas"]["BookedTime"]) {
  if (!("bookingId" in answer)) throw new Error("only the time was confirmed");
  return answer;
}

const eventType = ok(
  await team.POST("/v1/event-types", {
    body: {
      title: "Interview",
      durationMinutes: 30,
      minimumNoticeMinutes: 60,
      locations: [{ kind: "video", detail: "https://meet.example.com/interview" }],
      schedule: {
        timeZone: "Europe/Berlin",
        weekly: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "17:00" }],
      },
    },
  }),
);
const made = ok(
  await team.POST("/v1/links", {
    params: { header: { "Idempotency-Key": `interview-${eventType.eventTypeId}` } },
    body: {
      eventTypeId: eventType.eventTypeId,
      recipient: { name: "Grace", email: "grace@example.com" },
      externalId: "candidate-42",
      metadata: { stage: "second" },
    },
  }),
);
const link = made.links[0]!;
const token = link.url!.split("/").pop()!;
const path = { path: { token } };

const offer = ok(await invitee.GET("/s/{token}", { params: path }));
const { slots } = ok(await invitee.GET("/s/{token}/slots", { params: path }));
const body = {
  start: slots[0]!.start,
  timeZone: "Europe/London",
  invitee: { name: "Grace", email: "grace@example.com" },
};
const params = { ...path, header: { "Idempotency-Key": "press" } };
const first = whole(ok(await invitee.POST("/s/{token}/redeem", { params, body })));
const again = whole(ok(await invitee.POST("/s/{token}/redeem", { params, body })));

const late = await invitee.POST("/s/{token}/redeem", { params: path, body: { ...body, timeZone: "UTC" } });
const reread = ok(await team.GET("/v1/links/{linkId}", { params: { path: { linkId: link.linkId } } }));
const { bookings } = ok(await team.GET("/v1/bookings", { params: { query: { linkId: link.linkId } } }));
const cancelled = ok(
  await team.POST("/v1/bookings/{bookingId}/cancel", { params: { path: { bookingId: first.bookingId } } }),
);

console.log(
  JSON.stringify({
    offered: offer.title,
    replayed: again.bookingId === first.bookingId,
    problem: late.error ? late.error.type : null,
    link: reread.status,
    stage: reread.metadata["stage"],
    bookings: bookings.map((one) => one.bookingId === first.bookingId),
    booking: cancelled.status,
  }),
);
