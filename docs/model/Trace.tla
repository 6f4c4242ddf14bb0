-------------------------------- MODULE Trace --------------------------------
(***************************************************************************)
(* Checks that what the code did is a behavior of the model.               *)
(*                                                                         *)
(* tests/model/traces.py records each request that the services send to    *)
(* DynamoDB, and writes module TraceData with the constant `Traces`.  Step *)
(* `at` of trace `trace` must be an action of the model by the same call,  *)
(* with the same arguments, and lead to the same table and answer.  A      *)
(* trace that the model can follow to its end is printed as accepted.      *)
(***************************************************************************)
EXTENDS TraceData, TLC

VARIABLES trace, at  \* which trace, and which of its events comes next

Default == [max |-> 1, opens |-> None, expires |-> None, restore |-> FALSE, rolling |-> TRUE,
            before |-> 1, after |-> 2]

AllPcs ==
    {"redeem: receipt", "redeem: plan", "redeem: write", "redeem: look again",
     "redeem: look again at the receipt", "redeem: own booking", "redeem: replay",
     "cancel: link", "cancel: write", "move: days", "move: taken", "move: write",
     "revoke: write", "change: write", "replace: pointer", "replace: write",
     "renew: link", "renew: write"}

Event == Traces[trace].events[at]
Asked(w) == Traces[trace].calls[w]

\* The call of a worker, or the one that the trace says it begins.
K(w) ==
    LET asked == Asked(w) IN
    IF call[w].pc # "idle" THEN call[w]
    ELSE IF asked.verb = "redeem"
    THEN [NewRedeem(asked.link, asked.request) EXCEPT !.isPartial = TRUE]
    ELSE [Idle EXCEPT !.verb = asked.verb, !.link = asked.link, !.booking = asked.booking,
                      !.request = asked.request]

Pc(w) == call[w].pc
Verb(w) == Asked(w).verb
StartsReading(w) == Pc(w) \in {"idle", "again"}

\* A read that the model leaves out.  The call reads the clock after it.
ReadElse(w) ==
    IF Pc(w) = "redeem: plan" THEN RedeemPlan(w)
    ELSE /\ UNCHANGED <<clock, table>>
         /\ Set(w, IF StartsReading(w) THEN call[w] ELSE [call[w] EXCEPT !.now = clock])

ReadBoth(w) ==
    \/ StartsReading(w) /\ RedeemReads(w, K(w))
    \/ RedeemLookAgain(w)

ReadLink(w) ==
    \/ Verb(w) = "redeem" /\ StartsReading(w) /\ RedeemReadsLink(w, K(w))
    \/ RedeemLookAgainAtLink(w)
    \/ CancelReadLink(w)
    \/ Verb(w) = "revoke" /\ StartsReading(w) /\ RevokeReads(w, K(w))
    \/ Verb(w) = "delete" /\ Pc(w) = "idle" /\ DeleteReads(w, K(w))
    \/ DeleteLookAgain(w)
    \/ Verb(w) = "change" /\ StartsReading(w) /\ ChangeReads(w, K(w))
    \/ Verb(w) = "replace" /\ StartsReading(w) /\ ReplaceReads(w, K(w))
    \/ RenewReadLink(w)
    \/ Verb(w) = "move" /\ ReadElse(w)

ReadReceipt(w) ==
    \/ RedeemReadReceipt(w)
    \/ RedeemLookAgainAtReceipt(w)
    \/ call[w].refusal = "slot-taken" /\ RedeemLookAgain(w)

ReadBooking(w) ==
    \/ Verb(w) = "cancel" /\ StartsReading(w) /\ CancelReads(w, K(w))
    \/ Verb(w) = "move" /\ StartsReading(w) /\ MoveReads(w, K(w))
    \/ MoveTaken(w)
    \/ RedeemReplay(w)
    \/ RedeemOwnBooking(w)
    \/ Pc(w) = "redeem: look again" /\ ReadElse(w)  \* it has sent a write, but made no booking

ReadDay(w, day) == day \in call[w].toRead /\ (\A other \in call[w].toRead : day <= other) /\ MoveReadDay(w)

ReadPointer(w) ==
    \/ ReplaceReadPointer(w)
    \/ Verb(w) = "renew" /\ StartsReading(w) /\ RenewReads(w, K(w))

ReadMade(w) == ReplaceReadMade(w) \/ RenewReadMade(w)

Reads(w, what) ==
    CASE what = "both" -> ReadBoth(w)
      [] what = "link" -> ReadLink(w)
      [] what = "receipt" -> ReadReceipt(w)
      [] what = "booking" -> ReadBooking(w)
      [] what = "pointer" -> ReadPointer(w)
      [] what = "made" -> ReadMade(w)
      [] what = "day" -> ReadDay(w, Event.day)
      [] OTHER -> ReadElse(w)

Commits(w) ==
    \/ RedeemCommit(w) \/ CancelCommit(w) \/ MoveCommit(w) \/ RevokeCommit(w) \/ DeleteCommit(w)
    \/ ChangeCommit(w) \/ ReplaceCommit(w) \/ RenewCommit(w)

CommitsWithoutReply(w) ==
    \/ RedeemLost(w) \/ CancelLost(w) \/ MoveLost(w) \/ RevokeLost(w) \/ DeleteLost(w)
    \/ ChangeLost(w) \/ ReplaceLost(w) \/ RenewLost(w)

IsRefused(w) ==
    \/ RedeemRefused(w) \/ CancelRefused(w) \/ MoveRefused(w) \/ RevokeRefused(w) \/ DeleteRefused(w)
    \/ ChangeRefused(w) \/ ReplaceRefused(w) \/ RenewRefused(w)

Restarts(w) ==
    IF StartsReading(w) \/ call[w].verb = "delete" THEN UNCHANGED <<clock, table>> /\ NoCall
    ELSE StartAgain(w)

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
      [] event.kind = "lost" -> CommitsWithoutReply(event.worker)
      [] event.kind = "refused" -> IsRefused(event.worker)
      [] event.kind = "again" -> Restarts(event.worker)

(* What the stored items say about the model's variables. *)

LinkItem(link) ==
    IF IsDeleted(link) THEN None
    ELSE [status |-> link.status, uses |-> link.uses, max |-> link.max, restore |-> link.restore,
          rolling |-> link.rolling, restored |-> link.restored, sequence |-> link.sequence,
          edition |-> link.edition, opens |-> link.opens, expires |-> link.expires]
BookingItem(booking) ==
    [link |-> booking.link, start |-> booking.start, status |-> booking.status,
     sequence |-> booking.sequence, moves |-> booking.moves, made |-> booking.made,
     hasReceipt |-> booking.receipt # None]
ReceiptItem(receipt) == <<receipt.link, receipt.booking, receipt.end>>

Table ==
    [links |-> [link \in DOMAIN links |-> LinkItem(links[link])],
     bookings |-> [booking \in DOMAIN bookings |-> BookingItem(bookings[booking])],
     receipts |-> {ReceiptItem(receipt) : receipt \in receipts},
     busy |-> busy, pointer |-> pointer]

SameAnswer(given) ==
    /\ answer # None
    /\ answer.code = given.code /\ answer.shows = given.shows
    /\ given.booking # 0 => answer.booking = given.booking
    /\ given.start # None => bookings[answer.booking].start = given.start

\* Whether the call ended with this step is unknown if its process crashed or gave up.
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
    /\ \E event \in {Event} : Step(event) /\ Matches(event)'  \* `Event'` would be the next one
    /\ at = Len(Traces[trace].events) => PrintT(<<"accepted", trace>>)

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, trace, at>>
=============================================================================
