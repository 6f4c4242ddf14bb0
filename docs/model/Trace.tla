-------------------------------- MODULE Trace --------------------------------
(***************************************************************************)
(* Check that recorded runs of the code are behaviors of the model.        *)
(*                                                                         *)
(* tests/model/traces.py records each request that the services send to    *)
(* DynamoDB, and tests/model/trace_data.py writes module TraceData with    *)
(* the constant `Traces`. Event `at` of trace `trace` must be an action of *)
(* the same call with the same arguments, and lead to the same items and   *)
(* answer. TLC prints <<"accepted", n>> when it has followed trace n to    *)
(* its end; a trace that it does not print is stuck. Reads of items that   *)
(* the model leaves out are accepted anywhere.                             *)
(***************************************************************************)
EXTENDS TraceData, TLC

VARIABLES trace, at  \* which trace, and which of its events comes next

\* The settings of the first rolling link in the histories.
FirstRollingLink == [max |-> 1, opens |-> None, expires |-> None, restore |-> FALSE, rolling |-> TRUE,
                     before |-> 1, after |-> 2]

\* In a trace, any request can fail.
AllPcs ==
    {"redeem: rest", "redeem: plan", "redeem: write", "redeem: look again",
     "redeem: look again at the rest", "redeem: own booking", "redeem: replay",
     "cancel: link", "cancel: write", "move: days", "move: taken", "move: write",
     "revoke: write", "change: write",
     "replace: history", "replace: pointer", "replace: write",
     "renew: history", "renew: link", "renew: write"}

Event == Traces[trace].events[at]
Asked(w) == Traces[trace].calls[w]

\* The call that a worker runs, or the call of the trace that it begins now.
CallOf(w) ==
    LET asked == Asked(w) IN
    IF call[w].pc # "idle" THEN call[w]
    ELSE IF asked.verb = "redeem" THEN NewRedeem(asked.link, asked.request)
    ELSE [Idle EXCEPT !.verb = asked.verb, !.link = asked.link, !.booking = asked.booking,
                      !.request = asked.request]

Pc(w) == call[w].pc
Verb(w) == Asked(w).verb
StartsReading(w) == Pc(w) \in {"idle", "next attempt"}

IsFirst(w, verb) == Verb(w) = verb /\ StartsReading(w)

\* A read of an item that the model leaves out. The call then reads the clock.
ReadElse(w) ==
    IF Pc(w) = "redeem: plan" THEN RedeemPlan(w)
    ELSE /\ UNCHANGED <<clock, table>>
         /\ SetCall(w, IF StartsReading(w) THEN call[w] ELSE [call[w] EXCEPT !.now = clock])

ReadBoth(w) ==
    \/ IsFirst(w, "redeem") /\ RedeemReads(w, CallOf(w))
    \/ RedeemLookAgain(w)

\* DynamoDB returned the link or the receipt, and the other item in another response.
ReadPart(w, part) ==
    \/ IsFirst(w, "redeem") /\ RedeemReadsPart(w, [CallOf(w) EXCEPT !.first = part])
    \/ RedeemLooksAtPart(w, [call[w] EXCEPT !.first = part])
    \/ call[w].first # part /\ (RedeemReadRest(w) \/ RedeemLookAgainAtRest(w))

ReadLink(w, link) ==
    \/ /\ link = CallOf(w).link
       /\ \/ ReadPart(w, "link")
          \/ IsFirst(w, "revoke") /\ RevokeReads(w, CallOf(w))
          \/ Verb(w) = "delete" /\ Pc(w) = "idle" /\ DeleteReads(w, CallOf(w))
          \/ DeleteLookAgain(w)
          \/ IsFirst(w, "change") /\ ChangeReads(w, CallOf(w))
          \/ IsFirst(w, "replace") /\ call[w].createdLink = 0 /\ ReplaceReads(w, CallOf(w))
    \/ CancelReadLink(w) /\ link = call[w].seenBooking.link
    \/ RenewReadLink(w) /\ link = call[w].seenPointer
    \/ Verb(w) = "move" /\ ReadElse(w)

ReadReceipt(w) ==
    \/ ReadPart(w, "receipt")
    \/ LooksOnlyAtReceipt(call[w]) /\ RedeemLookAgain(w)

\* A redeem that has created no booking looks for one if the outcome of its write is unknown.
ReadBooking(w, booking) ==
    \/ /\ booking = CallOf(w).booking
       /\ \/ IsFirst(w, "cancel") /\ CancelReads(w, CallOf(w))
          \/ IsFirst(w, "move") /\ MoveReads(w, CallOf(w))
          \/ MoveTaken(w)
    \/ RedeemReplay(w) /\ booking = call[w].seenReceipt.booking
    \/ RedeemOwnBooking(w) /\ booking \in call[w].ownBookings
    \/ /\ Pc(w) \in {"redeem: look again", "redeem: replay"} /\ call[w].ownBookings = {}
       /\ booking = 0 /\ ReadElse(w)

ReadDay(w, day) == day \in call[w].toRead /\ (\A other \in call[w].toRead : day <= other) /\ MoveReadDay(w)

ReadPointer(w) ==
    \/ ReplaceReadPointer(w)
    \/ IsFirst(w, "renew") /\ call[w].createdLink = 0 /\ RenewReads(w, CallOf(w))

ReadCreatedLink(w) == ReplaceReadCreated(w) \/ RenewReadCreated(w)

\* A replacement that has created no link looks for one if the outcome of its write is unknown.
ReadLinkHistory(w) ==
    \/ ReplaceReadHistory(w) \/ RenewReadHistory(w)
    \/ StartsReading(w) /\ call[w].createdLink = 0 /\ ReadElse(w)

Reads(w, what) ==
    CASE what = "both" -> ReadBoth(w)
      [] what = "link" -> ReadLink(w, Event.item)
      [] what = "receipt" -> ReadReceipt(w)
      [] what = "booking" -> ReadBooking(w, Event.item)
      [] what = "pointer" -> ReadPointer(w)
      [] what = "created" -> ReadCreatedLink(w)
      [] what = "history" -> ReadLinkHistory(w)
      [] what = "day" -> ReadDay(w, Event.item)
      [] OTHER -> ReadElse(w)

Commits(w) ==
    \/ RedeemCommit(w) \/ CancelCommit(w) \/ MoveCommit(w) \/ RevokeCommit(w) \/ DeleteCommit(w)
    \/ ChangeCommit(w) \/ ReplaceCommit(w) \/ RenewCommit(w)

CommitsWithoutResponse(w) ==
    \/ RedeemLost(w) \/ CancelLost(w) \/ MoveLost(w) \/ RevokeLost(w) \/ DeleteLost(w)
    \/ ChangeLost(w) \/ ReplaceLost(w) \/ RenewLost(w)

IsRefused(w) ==
    \/ RedeemRefused(w) \/ CancelRefused(w) \/ MoveRefused(w) \/ RevokeRefused(w) \/ DeleteRefused(w)
    \/ ChangeRefused(w) \/ ReplaceRefused(w) \/ RenewRefused(w)

\* The call starts another attempt, because a request failed or because of what it has read. In the
\* second case it is in the model where an attempt starts.
Restarts(w, failed) ==
    IF StartsReading(w) \/ call[w].verb = "delete" THEN UNCHANGED <<clock, table>> /\ NoCall
    ELSE failed /\ StartAgain(w)

Expires(link) ==
    /\ IsActive(links[link]) /\ IsExpired(links[link], clock)
    /\ links' = [links EXCEPT ![link] = [@ EXCEPT !.status = "expired", !.sequence = @ + 1]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

Generates(settings) ==
    /\ links' = links \o [number \in 1..Len(settings) |-> NewLink(settings[number], settings[number].created)]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

Passes(time) == clock' = time /\ UNCHANGED table /\ NoCall

Step(event) ==
    CASE event.kind = "time" -> Passes(event.time)
      [] event.kind = "generate" -> Generates(event.settings)
      [] event.kind = "expire" -> Expires(event.link)
      [] event.kind = "read" -> Reads(event.worker, event.what)
      [] event.kind = "commit" -> Commits(event.worker)
      [] event.kind = "lost" -> CommitsWithoutResponse(event.worker)
      [] event.kind = "refused" -> IsRefused(event.worker)
      [] event.kind = "again" -> Restarts(event.worker, event.failed)

(* The model's variables, in the form in which traces have the stored items. *)

LinkItem(link) ==
    IF IsDeleted(link) THEN None
    ELSE [status |-> link.status, uses |-> link.uses, max |-> link.max, restore |-> link.restore,
          rolling |-> link.rolling, restored |-> link.restored, sequence |-> link.sequence,
          edition |-> link.edition, opens |-> link.opens, expires |-> link.expires,
          restorePassedOn |-> link.restorePassedOn,
          isPurged |-> ~IsActive(link) \/ link.expires # None]
BookingItem(booking) ==
    [link |-> booking.link, start |-> booking.start, status |-> booking.status,
     sequence |-> booking.sequence, moves |-> booking.moves, createdAt |-> booking.createdAt,
     hasReceipt |-> booking.receipt # None]
ReceiptItem(receipt) == <<receipt.link, receipt.booking, receipt.end>>

Table ==
    [links |-> [link \in DOMAIN links |-> LinkItem(links[link])],
     bookings |-> [booking \in DOMAIN bookings |-> BookingItem(bookings[booking])],
     receipts |-> {ReceiptItem(receipt) : receipt \in receipts},
     busy |-> busy, pointer |-> pointer]

SameAnswer(given) ==
    /\ answer # None /\ answer.code = given.code
    /\ IF IsRedeemAnswer
       THEN /\ answer.shows = given.shows
            /\ given.booking # 0 => answer.booking = given.booking
            /\ given.start # None => bookings[answer.booking].start = given.start
       ELSE answer.link = given.link

\* `end` is "unknown" if the process crashed or the call gave up: then both are accepted.
SameEnd(event) ==
    CASE event.end = "running" -> Pc(event.worker) # "idle" \/ event.what = "else"
      [] event.end = "ended" -> Pc(event.worker) = "idle"
                                /\ (event.answer # None => SameAnswer(event.answer))
      [] OTHER -> TRUE

HasWorker(event) == event.kind \in {"read", "commit", "lost", "refused"}
Matches(event) ==
    /\ event.table # None => Table = event.table
    /\ HasWorker(event) => SameEnd(event)

TraceInit == Init /\ trace \in DOMAIN Traces /\ at = 1

TraceNext ==
    /\ at <= Len(Traces[trace].events)
    /\ at' = at + 1 /\ UNCHANGED trace
    /\ \E event \in {Event} :  \* a name for the current event, because `Event'` is the next one
        Step(event) /\ Matches(event)'
    /\ at = Len(Traces[trace].events) => PrintT(<<"accepted", trace>>)

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, trace, at>>
=============================================================================
