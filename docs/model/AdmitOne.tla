------------------------------ MODULE AdmitOne ------------------------------
(***************************************************************************)
(* How the services change links, bookings, receipts and busy cells.       *)
(*                                                                         *)
(* Except for the clock, TTL, and the links that hosts generate, every     *)
(* action is one request of a call to DynamoDB: a read, or a write that    *)
(* commits or is refused as a whole. Between two requests of a call, any   *)
(* other call can send a request, the clock can advance, and a response    *)
(* can be lost. A crash needs no action: a crashed call sends no further   *)
(* request. README.md explains the model, its limits and the notation.     *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    None,            \* no value
    Workers,         \* each runs one call after another, so this is how many calls run at once
    MaxCalls,        \* the number of calls in a run
    Verbs,           \* the kinds of calls: "redeem", "cancel", "move" ...
    Requests,        \* the bodies of redeems, with their caller and key: [caller, key, start, email, name]
    Settings,        \* the settings that a generated link may have
    RollingSettings, \* the settings of an event type's first rolling link
    Generated,       \* how many links are generated
    Starts,          \* the cells that a booking may be moved to
    NewMaxUses,      \* the numbers of uses that a change may set
    DayLength,       \* how many cells a day has
    LastTick,        \* when the clock stops
    Second,          \* the length of a second on this clock; the end of a receipt is stored in whole seconds
    KeylessWindow,   \* how long a receipt of a redeem without a key is in force
    KeyedWindow,     \* how long a receipt of a redeem with a key is in force
    MaxRestoredUses, \* how many uses of one link cancellations can restore
    MaxLostResponses,\* how many responses to committed writes a call may lose
    Interruptible,   \* the points (`pc`) at which a request can fail, so that the call starts another attempt
    MaxMoves         \* how often an invitee may move a booking

VARIABLES
    clock,          \* the time; all functions have the same clock
    links,          \* the links, in the order in which they were created
    bookings,       \* the bookings, likewise
    receipts,       \* a set of records
    busy,           \* the host's busy cells
    pointer,        \* the number of the current rolling link, 0 before the first
    call,           \* what the call of each worker is doing and has read
    begun,          \* how many calls have begun
    answer          \* the answer of the call that the last step ended, else None

table == <<links, bookings, receipts, busy, pointer>>
vars == <<clock, links, bookings, receipts, busy, pointer, call, begun, answer>>

Unlimited == 0

-----------------------------------------------------------------------------
(* Links. The table does not store `ended`, `restorable`, `from` and       *)
(* `inHistory`.                                                            *)
(*   ended       the link was revoked, deleted, or replaced so that no use *)
(*               can be restored                                           *)
(*   restorable  its settings allowed restoring when it was created        *)
(*   from        the link that it replaced, 0 if none                      *)
(*   inHistory   a host deleted it, so its history has an entry            *)
(* Only the invariants use the first three.                                *)

NewLinkFrom(setting, now, from) ==
    [max |-> setting.max, opens |-> setting.opens, expires |-> setting.expires,
     restore |-> setting.restore, rolling |-> setting.rolling,
     before |-> setting.before, after |-> setting.after,
     status |-> "active", uses |-> 0, restored |-> 0, sequence |-> 1, edition |-> 1,
     restorePassedOn |-> FALSE, created |-> now,
     ended |-> FALSE, restorable |-> setting.restore, from |-> from, inHistory |-> FALSE]
NewLink(setting, now) == NewLinkFrom(setting, now, 0)

\* A fresh link has the settings of the old one. An expiry in the past is moved, so that the fresh
\* link is valid as long as the old one was. `restorePassedOn`: an earlier replacement took over the
\* setting `restore`, and another one gets it too.
HasPassedOnRestore(old) == old.restorePassedOn
FreshLink(old, now, rolling, from) ==
    NewLinkFrom([old EXCEPT
        !.rolling = rolling,
        !.restore = @ \/ HasPassedOnRestore(old),
        !.expires = IF @ = None \/ @ > now THEN @ ELSE now + (@ - old.created)], now, from)

IsDeleted(link) == link.status = "deleted"
IsExpired(link, now) == link.expires # None /\ link.expires <= now

\* The schedule marks links as expired later, so the stored status can be outdated.
StatusAt(link, now) ==
    IF link.status = "active" /\ IsExpired(link, now) THEN "expired" ELSE link.status

\* Why nobody can book with a link, or None.
RefusalAt(link, now) ==
    CASE IsDeleted(link) -> "link-deleted"
      [] StatusAt(link, now) = "used" -> "link-used"
      [] StatusAt(link, now) = "expired" -> "link-expired"
      [] StatusAt(link, now) = "revoked" -> "link-revoked"
      [] link.opens # None /\ now < link.opens -> "link-not-open"
      [] OTHER -> None

\* Whether the link is used, and a cancellation would make it active again.
IsRestorable(link, now) ==
    link.status = "used" /\ link.restore /\ ~link.rolling /\ ~IsExpired(link, now)

\* Conditions of writes. `link` is the stored item, `seen` is what the call read.
Exists(link) == ~IsDeleted(link)
IsActive(link) == link.status = "active"
IsUnexpired(link, now) == link.expires # None => link.expires > now
IsOpen(link, now) == link.opens # None => link.opens <= now
SameEdition(link, seen) == link.edition = seen.edition
Unchanged(link, seen) == Exists(link) /\ link.sequence = seen.sequence
IsAlive(link, now) == Exists(link) /\ IsActive(link) /\ IsUnexpired(link, now)
IsRevocable(link, now) ==
    /\ Exists(link) /\ IsUnexpired(link, now)
    /\ ~IsActive(link) => link.status = "used" /\ link.restore /\ ~link.rolling

\* Write a whole item over the stored one. The fields that are not part of the item stay.
Overwritten(link, item) ==
    [item EXCEPT !.ended = link.ended, !.restorable = link.restorable, !.from = link.from,
                 !.inHistory = link.inHistory]

IsLastUse(seen) == seen.max # Unlimited /\ seen.uses + 1 >= seen.max
HasUseLeft(link, seen) ==
    IF IsLastUse(seen) THEN link.uses = seen.max - 1 ELSE link.uses < seen.max - 1

-----------------------------------------------------------------------------
(* Time that a booking occupies: cells, buffers included.                  *)

Cells(start, before, after) == (start - before) .. (start + after - 1)
CellsOf(booking) == Cells(booking.start, booking.before, booking.after)
Day(cell) == cell \div DayLength
OnDay(cells, day) == {cell \in cells : Day(cell) = day}
DaysOf(cells) == {Day(cell) : cell \in cells}

-----------------------------------------------------------------------------
(* Receipts: how a retry finds its booking.                                *)

IsKeyed(request) == request.key # None
BodyOf(request) == <<request.start, request.email, request.name>>
ReceiptId(request) ==
    IF IsKeyed(request) THEN <<"key", request.key>> ELSE <<"body", BodyOf(request)>>

ReceiptOf(link, request) ==
    LET found == {receipt \in receipts : receipt.link = link /\ receipt.id = ReceiptId(request)}
    IN IF found = {} THEN None ELSE CHOOSE receipt \in found : TRUE

\* With a key, the end is rounded up to a second; without one, down, so that a keyless retry is never
\* confirmed after the promised time (P4).
ReceiptEnd(request, now) ==
    IF IsKeyed(request) THEN ((now + KeyedWindow + Second - 1) \div Second) * Second
    ELSE ((now + KeylessWindow) \div Second) * Second

NewReceipt(link, request, booking, now) ==
    [link |-> link, id |-> ReceiptId(request), body |-> BodyOf(request), booking |-> booking,
     end |-> ReceiptEnd(request, now)]

\* A receipt that has ended counts as absent, even if TTL has not deleted it yet.
IsAbsentOrOver(receipt, now) == receipt # None => receipt.end <= now

\* For the call that created the booking, its receipt stays in force after its end (P4).
IsInForce(receipt, k, now) ==
    receipt # None /\ (receipt.end > now \/ receipt.booking \in k.ownBookings)

\* Without a key, only the call that created the booking gets the booking; others get its time.
ShowsBooking(request, own) == IsKeyed(request) \/ own

-----------------------------------------------------------------------------
(* Calls.                                                                  *)
(*   verb          the kind of call; link, booking and request are its     *)
(*                 arguments                                               *)
(*   pc            its next request to DynamoDB                            *)
(*   first         what DynamoDB returns first if it returns the link and  *)
(*                 the receipt in two responses: "link" or "receipt"; None *)
(*                 if it returns both in one                               *)
(*   seen...       what it has read; toRead has the days that it has not   *)
(*                 read yet                                                *)
(*   linkIsSame    whether the link was unchanged when it was read again   *)
(*   now           the clock after its last read                           *)
(*   refusal       the refusal that it returns unless it finds its booking *)
(*   ownBookings   the bookings that it has created                        *)
(*   createdLink   the link that it has created, 0 if none                 *)
(*   lost          how many responses to its writes were lost              *)
(*   bookingOfKey  the booking that this key had when the call began, 0 if *)
(*                 none                                                    *)
(*   answer        set only in the step that ends the call                 *)

Idle ==
    [verb |-> None, pc |-> "idle", link |-> 0, booking |-> 0, request |-> None, first |-> None,
     seenLink |-> None, seenReceipt |-> None, seenBooking |-> None, seenPointer |-> 0,
     seenBusy |-> {}, toRead |-> {}, linkIsSame |-> TRUE, now |-> 0,
     refusal |-> None, ownBookings |-> {}, createdLink |-> 0, bookingOfKey |-> 0, lost |-> 0,
     answer |-> None]

\* A redeem ends with an answer, which the invariants check.
WithAnswer(k, code, booking, shows) ==
    [Idle EXCEPT !.answer = [link |-> k.link, request |-> k.request, ownBookings |-> k.ownBookings,
                             bookingOfKey |-> k.bookingOfKey,
                             code |-> code, booking |-> booking, shows |-> shows]]

\* No invariant needs the answers of other calls. Within bounds they are dropped, which saves states;
\* traces of the code compare them (Trace.cfg). `link` is the new link of a replacement.
EndsWithAnswer(code, link) ==
    [Idle EXCEPT !.answer = [link |-> link, request |-> None, code |-> code]]
Ends(code, link) == Idle
Done == Ends("done", 0)
Fails(code) == Ends(code, 0)

SetCall(w, k) ==
    /\ call' = [call EXCEPT ![w] = [k EXCEPT !.answer = None]]
    /\ begun' = IF call[w].pc = "idle" /\ k.pc # "idle" THEN begun + 1 ELSE begun
    /\ answer' = k.answer

\* The next attempt reads everything again. It keeps the call's arguments and what the call has
\* created and lost.
NextAttempt(k) ==
    [Idle EXCEPT !.verb = k.verb, !.pc = "next attempt", !.link = k.link, !.booking = k.booking,
                 !.request = k.request, !.first = k.first, !.ownBookings = k.ownBookings,
                 !.createdLink = k.createdLink, !.bookingOfKey = k.bookingOfKey, !.lost = k.lost]

\* A write has committed, but its response is lost.
MayLose(k) == k.lost < MaxLostResponses
Lost(k) == [k EXCEPT !.lost = @ + 1]

IsNextAttempt(w, verb) == call[w].pc = "next attempt" /\ call[w].verb = verb
MayBegin(w, k) == call[w].pc = "idle" /\ k.verb \in Verbs /\ begun < MaxCalls

-----------------------------------------------------------------------------
(* Redeem: service/bookings/redeem.py and store/redeem.py.                 *)

\* Answer with the booking that this call created, in its current state.
OwnBooking(k) == WithAnswer(k, "booked", CHOOSE booking \in k.ownBookings : TRUE, TRUE)

\* A receipt in force was found. If the host has moved or cancelled this call's booking, the receipt
\* can be that of a later equal request, so the call's own booking comes first (P4).
HasOtherBooking(k) == k.ownBookings # {} /\ k.seenReceipt.booking \notin k.ownBookings
Replayed(k) ==
    IF HasOtherBooking(k) THEN [k EXCEPT !.pc = "redeem: own booking"]
    ELSE IF IsKeyed(k.request) /\ k.seenReceipt.body # BodyOf(k.request)
    THEN WithAnswer(k, "idempotency-key-reused", 0, FALSE)
    ELSE [k EXCEPT !.pc = "redeem: replay"]

\* Before each refusal, the call looks for a receipt again: an equal request may have booked meanwhile.
LooksAgainFirst(refusal) == TRUE
BeforeRefusal(k, refusal) ==
    IF k.ownBookings # {} THEN [k EXCEPT !.pc = "redeem: own booking"]
    ELSE IF ~LooksAgainFirst(refusal) THEN WithAnswer(k, refusal, 0, FALSE)
    ELSE [k EXCEPT !.pc = "redeem: look again", !.refusal = refusal]

\* Only the refusal of a dead link can become wrong because the link changes: a cancellation restores its use.
LooksOnlyAtReceipt(k) == k.refusal \in {"slot-taken", "link-not-open"}

\* The next step of a redeem that has read the link and the receipt.
HasRead(k) ==
    IF IsInForce(k.seenReceipt, k, k.now) THEN Replayed(k)
    ELSE LET refusal == RefusalAt(k.seenLink, k.now)
         IN IF refusal # None THEN BeforeRefusal(k, refusal) ELSE [k EXCEPT !.pc = "redeem: plan"]

WithLink(k) == [k EXCEPT !.seenLink = links[k.link], !.now = clock]
WithReceipt(k) == [k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request), !.now = clock]

RedeemReads(w, k) ==
    /\ SetCall(w, HasRead(WithReceipt(WithLink(k))))
    /\ UNCHANGED <<clock, table>>

RedeemReadsPart(w, k) ==
    /\ SetCall(w, [IF k.first = "link" THEN WithLink(k) ELSE WithReceipt(k)
                   EXCEPT !.pc = "redeem: rest"])
    /\ UNCHANGED <<clock, table>>

WithKeyOf(link, request) ==
    {booking \in DOMAIN bookings :
        bookings[booking].link = link /\ bookings[booking].by.key = request.key}

NewRedeem(link, request) ==
    [Idle EXCEPT !.verb = "redeem", !.link = link, !.request = request,
                 !.bookingOfKey = IF IsKeyed(request) /\ WithKeyOf(link, request) # {}
                                  THEN CHOOSE booking \in WithKeyOf(link, request) : TRUE ELSE 0]

RedeemBegin(w) ==
    \E link \in DOMAIN links, request \in Requests :
        MayBegin(w, NewRedeem(link, request)) /\ RedeemReads(w, NewRedeem(link, request))

RedeemRead(w) == IsNextAttempt(w, "redeem") /\ RedeemReads(w, call[w])

\* BatchGetItem can return one of the two items and leave the other unprocessed. The call then reads
\* that item with another request.
RedeemBeginInParts(w) ==
    \E link \in DOMAIN links, request \in Requests, first \in {"link", "receipt"} :
        LET k == [NewRedeem(link, request) EXCEPT !.first = first] IN
        MayBegin(w, k) /\ RedeemReadsPart(w, k)

RedeemReadPart(w) ==
    IsNextAttempt(w, "redeem") /\ call[w].first # None /\ RedeemReadsPart(w, call[w])

RedeemReadRest(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: rest"
    /\ SetCall(w, HasRead(IF k.first = "link" THEN WithReceipt(k) ELSE WithLink(k)))
    /\ UNCHANGED <<clock, table>>

\* Read the event type and the host. The write's condition uses the clock after this read (P3).
RedeemPlan(w) ==
    LET k == call[w]
        refusal == RefusalAt(k.seenLink, clock)
    IN /\ k.pc = "redeem: plan"
       /\ SetCall(w, IF refusal # None THEN BeforeRefusal([k EXCEPT !.now = clock], refusal)
                     ELSE [k EXCEPT !.pc = "redeem: write", !.now = clock])
       /\ UNCHANGED <<clock, table>>

\* The conditions of the transaction. All attempts of a call use one booking id, so `BookingIsNew` is
\* false if an earlier attempt created the booking (P4).
BookingIsNew(k) == k.ownBookings = {}
ReceiptIsFree(k) == IsAbsentOrOver(ReceiptOf(k.link, k.request), k.now)
LinkIsUsable(k) ==
    LET link == links[k.link] IN
    /\ Exists(link) /\ IsActive(link) /\ IsUnexpired(link, k.now)
    /\ SameEdition(link, k.seenLink) /\ IsOpen(link, k.now)
    /\ k.seenLink.max # Unlimited => HasUseLeft(link, k.seenLink)
CellsWanted(k) == Cells(k.request.start, k.seenLink.before, k.seenLink.after)
CellsAreFree(k) == CellsWanted(k) \cap busy = {}
IsCurrentRollingLink(k) == k.seenLink.rolling => pointer = k.link

RedeemMayCommit(k) ==
    /\ BookingIsNew(k) /\ ReceiptIsFree(k) /\ LinkIsUsable(k) /\ CellsAreFree(k)
    /\ IsCurrentRollingLink(k)

NewBooking(k) ==
    [link |-> k.link, start |-> k.request.start, before |-> k.seenLink.before,
     after |-> k.seenLink.after, status |-> "confirmed", sequence |-> 1,
     receipt |-> IF IsKeyed(k.request) THEN None ELSE ReceiptId(k.request),
     moves |-> 0, createdAt |-> k.now, by |-> k.request, tooLate |-> links[k.link].ended]

Used(link, seen) ==
    [link EXCEPT !.uses = @ + 1, !.sequence = @ + 1,
                 !.status = IF IsLastUse(seen) THEN "used" ELSE @]

\* The parts of the transaction.
WriteBooking(k) ==
    /\ bookings' = Append(bookings, NewBooking(k))
    /\ busy' = busy \cup CellsWanted(k)
WriteReceipt(k) ==
    receipts' = (receipts \ {ReceiptOf(k.link, k.request)})
                \cup {NewReceipt(k.link, k.request, Len(bookings) + 1, k.now)}
WriteUse(k) ==
    LET counted == [links EXCEPT ![k.link] = Used(@, k.seenLink)] IN
    IF k.seenLink.rolling
    THEN /\ links' = Append(counted, FreshLink(k.seenLink, k.now, TRUE, 0))
         /\ pointer' = Len(links) + 1
    ELSE links' = counted /\ UNCHANGED pointer

RedeemWrites(k) == WriteBooking(k) /\ WriteReceipt(k) /\ WriteUse(k) /\ UNCHANGED clock

Booked(k) == [k EXCEPT !.ownBookings = @ \cup {Len(bookings) + 1}]

RedeemCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommit(k) /\ RedeemWrites(k)
    /\ SetCall(w, WithAnswer(Booked(k), "booked", Len(bookings) + 1, TRUE))

RedeemLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ MayLose(k) /\ RedeemMayCommit(k) /\ RedeemWrites(k)
    /\ SetCall(w, NextAttempt(Lost(Booked(k))))

\* What follows from a refused transaction. The booking and the receipt are checked first, because a
\* retry must not get "link-used" (P4).
RedeemRefused(w) ==
    LET k == call[w]
        refusal == RefusalAt(links[k.link], k.now)
    IN /\ k.pc = "redeem: write" /\ ~RedeemMayCommit(k)
       /\ SetCall(w,
                IF ~BookingIsNew(k) THEN OwnBooking(k)
                ELSE IF ~ReceiptIsFree(k)
                THEN Replayed([k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request)])
                ELSE IF ~LinkIsUsable(k)
                THEN IF refusal # None THEN BeforeRefusal(k, refusal) ELSE NextAttempt(k)
                ELSE IF ~CellsAreFree(k) THEN BeforeRefusal(k, "slot-taken")
                ELSE NextAttempt(k))
       /\ UNCHANGED <<clock, table>>

\* Before it returns a refusal, a redeem reads the receipt once more, and the link too unless the slot
\* was taken.
LooksAgain(k) ==
    IF IsInForce(k.seenReceipt, k, k.now) THEN Replayed(k)
    ELSE IF k.linkIsSame THEN WithAnswer(k, k.refusal, 0, FALSE)
    ELSE NextAttempt(k)

IsSameLink(k) ==
    LET link == links[k.link] IN
    link.sequence = k.seenLink.sequence /\ link.status = k.seenLink.status

LooksAtLink(k) == [k EXCEPT !.linkIsSame = LooksOnlyAtReceipt(k) \/ IsSameLink(k)]

RedeemLookAgain(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: look again"
    /\ SetCall(w, LooksAgain(WithReceipt(LooksAtLink(k))))
    /\ UNCHANGED <<clock, table>>

RedeemLooksAtPart(w, k) ==
    /\ k.pc = "redeem: look again" /\ ~LooksOnlyAtReceipt(k)
    /\ SetCall(w, [IF k.first = "link" THEN LooksAtLink(k) ELSE WithReceipt(k)
                   EXCEPT !.pc = "redeem: look again at the rest"])
    /\ UNCHANGED <<clock, table>>

RedeemLookAgainAtPart(w) == call[w].first # None /\ RedeemLooksAtPart(w, call[w])

RedeemLookAgainAtRest(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: look again at the rest"
    /\ SetCall(w, LooksAgain(IF k.first = "link" THEN WithReceipt(k) ELSE LooksAtLink(k)))
    /\ UNCHANGED <<clock, table>>

\* Before it returns a refusal or the booking of another request, a call that created a booking reads
\* it and returns it, even if its receipt is gone (P4).
RedeemOwnBooking(w) ==
    /\ call[w].pc = "redeem: own booking"
    /\ SetCall(w, OwnBooking(call[w])) /\ UNCHANGED <<clock, table>>

\* Read the booking of a receipt. After its booking was moved or cancelled, a keyless receipt no
\* longer counts.
RedeemReplay(w) ==
    LET k == call[w]
        booking == k.seenReceipt.booking
        isOwn == booking \in k.ownBookings
        hasLeft == ~IsKeyed(k.request) /\ ~isOwn /\ bookings[booking].receipt # ReceiptId(k.request)
        shows == ShowsBooking(k.request, isOwn)
    IN /\ k.pc = "redeem: replay"
       /\ SetCall(w, IF hasLeft THEN NextAttempt(k)
                     ELSE WithAnswer(k, IF shows THEN "booked" ELSE "confirmed", booking, shows))
       /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Cancel: service/bookings/cancel.py.                                     *)

IsCancelled(booking) == booking.status = "cancelled"

CancelReads(w, k) ==
    /\ SetCall(w, IF IsCancelled(bookings[k.booking]) THEN Done
                  ELSE [k EXCEPT !.pc = "cancel: link", !.seenBooking = bookings[k.booking]])
    /\ UNCHANGED <<clock, table>>

CancelBegin(w) ==
    \E booking \in DOMAIN bookings :
        LET k == [Idle EXCEPT !.verb = "cancel", !.booking = booking] IN
        MayBegin(w, k) /\ CancelReads(w, k)

CancelRead(w) == IsNextAttempt(w, "cancel") /\ CancelReads(w, call[w])

CancelReadLink(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: link"
    /\ SetCall(w, [k EXCEPT !.pc = "cancel: write", !.seenLink = links[k.seenBooking.link],
                            !.now = clock])
    /\ UNCHANGED <<clock, table>>

Restores(link, now) ==
    /\ Exists(link) /\ link.restore /\ ~link.rolling /\ link.uses >= 1
    /\ StatusAt(link, now) \in {"active", "used"} /\ ~IsExpired(link, now)
    /\ link.restored < MaxRestoredUses

\* The write replaces the whole item by what was read, so the link must be unchanged.
RestoreCondition(link, seen) == Unchanged(link, seen)
RestoredLink(seen) ==
    [seen EXCEPT !.uses = @ - 1, !.restored = @ + 1, !.status = "active", !.sequence = @ + 1]

CancelMayCommit(k) ==
    /\ bookings[k.booking].sequence = k.seenBooking.sequence
    /\ Restores(k.seenLink, k.now) =>
            RestoreCondition(links[k.seenBooking.link], k.seenLink)

CancelWrites(k) ==
    LET booking == k.seenBooking
        link == booking.link
        cancelled == [booking EXCEPT !.status = "cancelled", !.receipt = None, !.sequence = @ + 1]
    IN /\ bookings' = [bookings EXCEPT ![k.booking] = cancelled]
       /\ busy' = busy \ CellsOf(booking)
       /\ receipts' = {receipt \in receipts : receipt.link # link \/ receipt.id # booking.receipt}
       /\ links' = IF Restores(k.seenLink, k.now)
                   THEN [links EXCEPT ![link] = Overwritten(@, RestoredLink(k.seenLink))]
                   ELSE links
       /\ UNCHANGED <<clock, pointer>>

CancelCommit(w) ==
    LET k == call[w] IN
    k.pc = "cancel: write" /\ CancelMayCommit(k) /\ CancelWrites(k) /\ SetCall(w, Done)

CancelLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: write" /\ MayLose(k) /\ CancelMayCommit(k) /\ CancelWrites(k)
    /\ SetCall(w, NextAttempt(Lost(k)))

CancelRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: write" /\ ~CancelMayCommit(k)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Move: service/bookings/move.py and store/bookings/days.py.              *)

Freed(k) == CellsOf(k.seenBooking)
Taken(k) == Cells(k.request.start, k.seenBooking.before, k.seenBooking.after)

MoveReads(w, k) ==
    LET booking == bookings[k.booking]
        read == [k EXCEPT !.pc = "move: days", !.seenBooking = booking]
    IN /\ SetCall(w, IF IsCancelled(booking) THEN Fails("conflict")
                     ELSE IF booking.start = k.request.start THEN Done
                     ELSE IF k.request.byInvitee /\ booking.moves >= MaxMoves THEN Fails("move-limit")
                     ELSE [read EXCEPT !.toRead = DaysOf(Taken(read))])
       /\ UNCHANGED <<clock, table>>

MoveBegin(w) ==
    \E booking \in DOMAIN bookings, start \in Starts, byInvitee \in BOOLEAN :
        LET k == [Idle EXCEPT !.verb = "move", !.booking = booking,
                              !.request = [start |-> start, byInvitee |-> byInvitee]]
        IN MayBegin(w, k) /\ MoveReads(w, k)

MoveRead(w) == IsNextAttempt(w, "move") /\ MoveReads(w, call[w])

\* Read each day on which the booking takes cells, to find busy cells before the write.
MoveReadDay(w) ==
    LET k == call[w]
        day == CHOOSE one \in k.toRead : \A other \in k.toRead : one <= other
        seen == OnDay(busy, day)
    IN /\ k.pc = "move: days"
       /\ SetCall(w, IF (seen \ Freed(k)) \cap OnDay(Taken(k), day) # {}
                     THEN [k EXCEPT !.pc = "move: taken"]
                     ELSE [k EXCEPT !.pc = IF k.toRead = {day} THEN "move: write" ELSE @,
                                    !.toRead = @ \ {day}, !.seenBusy = @ \cup seen, !.now = clock])
       /\ UNCHANGED <<clock, table>>

\* A cell is busy. If the booking has changed, an earlier attempt or another call may have moved it:
\* read it again.
MoveTaken(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: taken"
    /\ SetCall(w, IF bookings[k.booking].sequence # k.seenBooking.sequence THEN NextAttempt(k)
                  ELSE Fails("slot-taken"))
    /\ UNCHANGED <<clock, table>>

\* A day that only loses cells has no condition. A day that only gains cells requires that they are
\* free. A day with both is written as a whole, so it must be unchanged since it was read.
AreFree(cells) == cells \cap busy = {}
DayCondition(k, day) ==
    LET added == OnDay(Taken(k), day)
        removed == OnDay(Freed(k), day)
    IN CASE added = {} -> TRUE
         [] removed = {} -> AreFree(added)
         [] OTHER -> OnDay(busy, day) = OnDay(k.seenBusy, day)

MoveMayCommit(k) ==
    /\ bookings[k.booking].sequence = k.seenBooking.sequence
    /\ \A day \in DaysOf(Taken(k) \cup Freed(k)) : DayCondition(k, day)

MoveWrites(k) ==
    LET booking == k.seenBooking
        moved == [booking EXCEPT !.start = k.request.start, !.receipt = None, !.sequence = @ + 1,
                                 !.moves = IF k.request.byInvitee THEN @ + 1 ELSE @]
    IN /\ bookings' = [bookings EXCEPT ![k.booking] = moved]
       /\ busy' = (busy \ Freed(k)) \cup Taken(k)
       /\ receipts' = {receipt \in receipts : receipt.link # booking.link \/ receipt.id # booking.receipt}
       /\ UNCHANGED <<clock, links, pointer>>

MoveCommit(w) ==
    LET k == call[w] IN
    k.pc = "move: write" /\ MoveMayCommit(k) /\ MoveWrites(k) /\ SetCall(w, Done)

MoveLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: write" /\ MayLose(k) /\ MoveMayCommit(k) /\ MoveWrites(k)
    /\ SetCall(w, NextAttempt(Lost(k)))

MoveRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: write" /\ ~MoveMayCommit(k)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Revoke and delete: service/links/revoke.py.                             *)

RevokeReads(w, k) ==
    LET link == links[k.link] IN
    /\ SetCall(w, IF IsDeleted(link) THEN Fails("not-found")
                  ELSE IF StatusAt(link, clock) = "revoked" THEN Done
                  ELSE IF StatusAt(link, clock) # "active" /\ ~IsRestorable(link, clock)
                  THEN Fails("conflict")
                  ELSE [k EXCEPT !.pc = "revoke: write", !.now = clock])
    /\ UNCHANGED <<clock, table>>

RevokeBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "revoke", !.link = link] IN MayBegin(w, k) /\ RevokeReads(w, k)

RevokeRead(w) == IsNextAttempt(w, "revoke") /\ RevokeReads(w, call[w])

Revoked(link) == [link EXCEPT !.status = "revoked", !.sequence = @ + 1, !.ended = TRUE]

RevokeWrites(k) ==
    /\ links' = [links EXCEPT ![k.link] = Revoked(@)]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

RevokeCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ IsRevocable(links[k.link], k.now)
    /\ RevokeWrites(k) /\ SetCall(w, Done)

RevokeLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ MayLose(k) /\ IsRevocable(links[k.link], k.now)
    /\ RevokeWrites(k) /\ SetCall(w, NextAttempt(Lost(k)))

RevokeRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ ~IsRevocable(links[k.link], k.now)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

\* A deleted link remains in `links` as "deleted": for every condition, its item does not exist. The
\* call that finds at first that the link does not exist fails; later, an earlier attempt or another
\* call has deleted it.
DeleteReads(w, k) ==
    /\ SetCall(w, IF IsDeleted(links[k.link])
                  THEN IF k.pc = "idle" THEN Fails("not-found") ELSE Done
                  ELSE [k EXCEPT !.pc = "delete: write", !.seenLink = links[k.link]])
    /\ UNCHANGED <<clock, table>>

DeleteBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "delete", !.link = link] IN MayBegin(w, k) /\ DeleteReads(w, k)

DeleteWrites(k) ==
    /\ links' = [links EXCEPT ![k.link] =
                    [@ EXCEPT !.status = "deleted", !.ended = TRUE, !.inHistory = TRUE]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

DeleteCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ Unchanged(links[k.link], k.seenLink)
    /\ DeleteWrites(k) /\ SetCall(w, Done)

\* The call sends the same write again, and DynamoDB refuses it.
DeleteLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ MayLose(k) /\ Unchanged(links[k.link], k.seenLink)
    /\ DeleteWrites(k) /\ SetCall(w, Lost(k))

DeleteRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ ~Unchanged(links[k.link], k.seenLink)
    /\ SetCall(w, [k EXCEPT !.pc = "delete: look again"]) /\ UNCHANGED <<clock, table>>

DeleteLookAgain(w) == call[w].pc = "delete: look again" /\ DeleteReads(w, call[w])

-----------------------------------------------------------------------------
(* Change the number of uses: service/links/change.py.                     *)

ChangeReads(w, k) ==
    LET link == links[k.link]
        most == k.request.most
    IN /\ SetCall(w, IF IsDeleted(link) THEN Fails("not-found")
                     ELSE IF most = link.max THEN Done
                     ELSE IF StatusAt(link, clock) # "active" THEN Fails("conflict")
                     ELSE IF most # Unlimited /\ most < link.uses THEN Fails("invalid-value")
                     ELSE [k EXCEPT !.pc = "change: write", !.seenLink = link])
       /\ UNCHANGED <<clock, table>>

ChangeBegin(w) ==
    \E link \in DOMAIN links, most \in NewMaxUses :
        LET k == [Idle EXCEPT !.verb = "change", !.link = link, !.request = [most |-> most]] IN
        ~links[link].rolling /\ MayBegin(w, k) /\ ChangeReads(w, k)

ChangeRead(w) == IsNextAttempt(w, "change") /\ ChangeReads(w, call[w])

ChangeWrites(k) ==
    LET seen == k.seenLink
        most == k.request.most
        changed == [seen EXCEPT
            !.max = most, !.sequence = @ + 1, !.edition = @ + 1,
            !.status = IF most # Unlimited /\ most <= seen.uses THEN "used" ELSE @]
    IN /\ links' = [links EXCEPT ![k.link] = Overwritten(@, changed)]
       /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

ChangeCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ Unchanged(links[k.link], k.seenLink)
    /\ ChangeWrites(k) /\ SetCall(w, Done)

\* The call sends the same write again, and DynamoDB refuses it.
ChangeLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ MayLose(k) /\ Unchanged(links[k.link], k.seenLink)
    /\ ChangeWrites(k) /\ SetCall(w, Lost(k))

ChangeRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ ~Unchanged(links[k.link], k.seenLink)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Replace: service/links/replace.py and answer_link_request.py.           *)
(* Renew: service/links/rolling.py.                                        *)

\* An active link is revoked. A used link stays used, and its use can no longer be restored (P8). A
\* replacement copies the settings that were read, so the write requires that they are unchanged.
MayEnd(link, seen, now) ==
    IF StatusAt(seen, now) = "active"
    THEN IsAlive(link, now) /\ SameEdition(link, seen)
    ELSE Unchanged(link, seen)

NotRestorable(link) ==
    [link EXCEPT !.restore = FALSE, !.restorePassedOn = TRUE, !.edition = @ + 1, !.sequence = @ + 1,
                 !.ended = TRUE]

ReplacedLink(link, seen, now) ==
    CASE StatusAt(seen, now) = "active" -> Revoked(link)
      [] IsRestorable(seen, now) -> NotRestorable(link)
      [] OTHER -> link  \* only checked, not written

\* An earlier attempt may have created the link and lost the response: return that link. No write
\* creates a link again that a host deleted (P3): its history has an entry.
HasCreated(w, verb) == IsNextAttempt(w, verb) /\ call[w].createdLink > 0
HasNotCreated(w, verb) == IsNextAttempt(w, verb) /\ call[w].createdLink = 0
WasDeletedByHost(link) == link.inHistory

ReadCreated(w) ==
    LET k == call[w] IN
    /\ SetCall(w, IF IsDeleted(links[k.createdLink]) THEN [k EXCEPT !.pc = k.verb \o ": history"]
                  ELSE Ends("done", k.createdLink))
    /\ UNCHANGED <<clock, table>>

ReadHistory(w) ==
    LET k == call[w] IN
    /\ SetCall(w, IF WasDeletedByHost(links[k.createdLink]) THEN Fails("not-found")
                  ELSE [k EXCEPT !.pc = k.verb \o ": first read"])
    /\ UNCHANGED <<clock, table>>

\* The condition that the new link's id does not exist, and the write of the new link.
FreshIsNew(k) == k.createdLink # 0 => IsDeleted(links[k.createdLink])
FreshNumber(k) == IF k.createdLink = 0 THEN Len(links) + 1 ELSE k.createdLink
WithFresh(all, k, fresh) ==
    IF k.createdLink = 0 THEN Append(all, fresh)
    ELSE [all EXCEPT ![k.createdLink] = Overwritten(@, fresh)]

ReplaceReads(w, k) ==
    LET link == links[k.link] IN
    /\ SetCall(w, IF IsDeleted(link) THEN Fails("not-found")
                  ELSE [k EXCEPT !.pc = IF link.rolling THEN "replace: pointer" ELSE "replace: write",
                                 !.seenLink = link, !.now = clock])
    /\ UNCHANGED <<clock, table>>

ReplaceBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "replace", !.link = link] IN
        MayBegin(w, k) /\ ReplaceReads(w, k)

ReplaceReadCreated(w) == HasCreated(w, "replace") /\ ReadCreated(w)
ReplaceReadHistory(w) == call[w].pc = "replace: history" /\ ReadHistory(w)

ReplaceRead(w) ==
    /\ HasNotCreated(w, "replace") \/ call[w].pc = "replace: first read"
    /\ ReplaceReads(w, call[w])

ReplaceReadPointer(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: pointer"
    /\ SetCall(w, [k EXCEPT !.pc = "replace: write", !.seenPointer = pointer, !.now = clock])
    /\ UNCHANGED <<clock, table>>

ReplacesRolling(k) == k.seenLink.rolling /\ k.seenPointer = k.link

ReplaceMayCommit(k) ==
    /\ FreshIsNew(k)
    /\ MayEnd(links[k.link], k.seenLink, k.now)
    /\ ReplacesRolling(k) => pointer = k.seenPointer

ReplaceWrites(k) ==
    LET ended == [links EXCEPT ![k.link] = ReplacedLink(@, k.seenLink, k.now)]
        fresh == FreshLink(k.seenLink, k.now, ReplacesRolling(k), k.link)
    IN /\ links' = WithFresh(ended, k, fresh)
       /\ pointer' = IF ReplacesRolling(k) THEN FreshNumber(k) ELSE pointer
       /\ UNCHANGED <<clock, bookings, receipts, busy>>

ReplaceCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: write" /\ ReplaceMayCommit(k) /\ ReplaceWrites(k)
    /\ SetCall(w, Ends("done", FreshNumber(k)))

ReplaceLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: write" /\ MayLose(k) /\ ReplaceMayCommit(k) /\ ReplaceWrites(k)
    /\ SetCall(w, NextAttempt(Lost([k EXCEPT !.createdLink = FreshNumber(k)])))

ReplaceRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: write" /\ ~ReplaceMayCommit(k)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

RenewReads(w, k) ==
    /\ SetCall(w, [k EXCEPT !.pc = IF pointer = 0 THEN "renew: write" ELSE "renew: link",
                            !.seenPointer = pointer, !.now = clock])
    /\ UNCHANGED <<clock, table>>

RenewBegin(w) ==
    LET k == [Idle EXCEPT !.verb = "renew"] IN MayBegin(w, k) /\ RenewReads(w, k)

RenewReadCreated(w) == HasCreated(w, "renew") /\ ReadCreated(w)
RenewReadHistory(w) == call[w].pc = "renew: history" /\ ReadHistory(w)

RenewRead(w) ==
    /\ HasNotCreated(w, "renew") \/ call[w].pc = "renew: first read"
    /\ RenewReads(w, call[w])

RenewReadLink(w) ==
    LET k == call[w]
        link == links[k.seenPointer]
    IN /\ k.pc = "renew: link"
       /\ SetCall(w, [k EXCEPT !.pc = "renew: write", !.now = clock,
                               !.seenLink = IF IsDeleted(link) THEN None ELSE link])
       /\ UNCHANGED <<clock, table>>

PointerIsSame(k) == pointer = k.seenPointer
RenewMayCommit(k) ==
    /\ FreshIsNew(k)
    /\ PointerIsSame(k)
    /\ k.seenLink # None => MayEnd(links[k.seenPointer], k.seenLink, k.now)

RenewWrites(k) ==
    LET fresh == IF k.seenLink = None THEN NewLink(RollingSettings, k.now)
                 ELSE FreshLink(k.seenLink, k.now, TRUE, k.seenPointer)
        ended == IF k.seenLink = None THEN links
                 ELSE [links EXCEPT ![k.seenPointer] = ReplacedLink(@, k.seenLink, k.now)]
    IN /\ links' = WithFresh(ended, k, fresh)
       /\ pointer' = FreshNumber(k)
       /\ UNCHANGED <<clock, bookings, receipts, busy>>

RenewCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "renew: write" /\ RenewMayCommit(k) /\ RenewWrites(k)
    /\ SetCall(w, Ends("done", FreshNumber(k)))

RenewLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "renew: write" /\ MayLose(k) /\ RenewMayCommit(k) /\ RenewWrites(k)
    /\ SetCall(w, NextAttempt(Lost([k EXCEPT !.createdLink = FreshNumber(k)])))

RenewRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "renew: write" /\ ~RenewMayCommit(k)
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Everything else.                                                        *)

\* DynamoDB throttled a request, refused it for a conflict, or did not answer, and nothing was written.
\* The call starts another attempt. A delete does not, because it sends the same write again.
StartAgain(w) ==
    LET k == call[w] IN
    /\ k.pc \in Interruptible /\ k.verb # "delete"
    /\ SetCall(w, NextAttempt(k)) /\ UNCHANGED <<clock, table>>

NoCall == answer' = None /\ UNCHANGED <<call, begun>>

\* The expiry schedule marks a due link: service/links/expire.py.
ExpireLink ==
    /\ "expire" \in Verbs
    /\ \E link \in DOMAIN links :
        /\ IsActive(links[link]) /\ IsExpired(links[link], clock)
        /\ links' = [links EXCEPT ![link] = [@ EXCEPT !.status = "expired", !.sequence = @ + 1]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

\* TTL deletes a link at any time after it became used, expired or revoked. A call lasts seconds and TTL
\* waits for days, so it does not delete a link that a running call has created. It leaves no entry in
\* the link's history.
PurgeLink ==
    /\ "purge" \in Verbs
    /\ \E link \in DOMAIN links :
        /\ StatusAt(links[link], clock) \in {"used", "expired", "revoked"}
        /\ \A w \in Workers : call[w].createdLink # link
        /\ links' = [links EXCEPT ![link] = [@ EXCEPT !.status = "deleted", !.ended = TRUE]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

\* A host creates links: service/links/generate.py. It happens before any call. A generated rolling
\* link stands for the one of an earlier renewal.
GenerateLink ==
    /\ Len(links) < Generated /\ clock = 0 /\ \A w \in Workers : call[w].pc = "idle"
    /\ \E setting \in Settings :
        /\ links' = Append(links, NewLink(setting, clock))
        /\ pointer' = IF setting.rolling THEN Len(links) + 1 ELSE pointer
    /\ UNCHANGED <<clock, bookings, receipts, busy>> /\ NoCall

Tick == clock < LastTick /\ clock' = clock + 1 /\ UNCHANGED table /\ NoCall

Init ==
    /\ clock = 0
    /\ links = <<>> /\ bookings = <<>> /\ receipts = {} /\ busy = {} /\ pointer = 0
    /\ call = [w \in Workers |-> Idle] /\ begun = 0 /\ answer = None

RedeemStep(w) ==
    \/ RedeemBegin(w) \/ RedeemRead(w)
    \/ RedeemBeginInParts(w) \/ RedeemReadPart(w) \/ RedeemReadRest(w)
    \/ RedeemPlan(w) \/ RedeemCommit(w) \/ RedeemLost(w) \/ RedeemRefused(w)
    \/ RedeemLookAgain(w) \/ RedeemLookAgainAtPart(w) \/ RedeemLookAgainAtRest(w)
    \/ RedeemOwnBooking(w) \/ RedeemReplay(w)

BookingStep(w) ==
    \/ CancelBegin(w) \/ CancelRead(w) \/ CancelReadLink(w)
    \/ CancelCommit(w) \/ CancelLost(w) \/ CancelRefused(w)
    \/ MoveBegin(w) \/ MoveRead(w) \/ MoveReadDay(w) \/ MoveTaken(w)
    \/ MoveCommit(w) \/ MoveLost(w) \/ MoveRefused(w)

LinkStep(w) ==
    \/ RevokeBegin(w) \/ RevokeRead(w) \/ RevokeCommit(w) \/ RevokeLost(w) \/ RevokeRefused(w)
    \/ DeleteBegin(w) \/ DeleteCommit(w) \/ DeleteLost(w) \/ DeleteRefused(w) \/ DeleteLookAgain(w)
    \/ ChangeBegin(w) \/ ChangeRead(w) \/ ChangeCommit(w) \/ ChangeLost(w) \/ ChangeRefused(w)
    \/ ReplaceBegin(w) \/ ReplaceReadCreated(w) \/ ReplaceReadHistory(w) \/ ReplaceRead(w)
    \/ ReplaceReadPointer(w) \/ ReplaceCommit(w) \/ ReplaceLost(w) \/ ReplaceRefused(w)
    \/ RenewBegin(w) \/ RenewReadCreated(w) \/ RenewReadHistory(w) \/ RenewRead(w)
    \/ RenewReadLink(w)
    \/ RenewCommit(w) \/ RenewLost(w) \/ RenewRefused(w)

Next ==
    \/ \E w \in Workers : RedeemStep(w) \/ BookingStep(w) \/ LinkStep(w) \/ StartAgain(w)
    \/ GenerateLink \/ ExpireLink \/ PurgeLink \/ Tick

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* The invariants. docs/promises.md has the promises.                      *)

Confirmed == {booking \in DOMAIN bookings : bookings[booking].status = "confirmed"}
BookingsOf(link) == {booking \in DOMAIN bookings : bookings[booking].link = link}

\* P1. A link gives at most `max` bookings, not counting those whose use was restored.
P1 ==
    \A link \in DOMAIN links :
        links[link].max # Unlimited =>
            /\ Cardinality(BookingsOf(link) \cap Confirmed) <= links[link].max
            /\ Cardinality(BookingsOf(link)) - links[link].restored <= links[link].max

\* P2. No two confirmed bookings overlap.
P2 ==
    \A one, other \in Confirmed :
        one # other => CellsOf(bookings[one]) \cap CellsOf(bookings[other]) = {}

\* P3. Nothing books before a link opens, once it has expired, or after a revoke, a replacement
\* or a deletion.
P3 ==
    \A booking \in DOMAIN bookings :
        LET created == bookings[booking].createdAt
            link == links[bookings[booking].link]
        IN /\ link.opens = None \/ link.opens <= created
           /\ link.expires = None \/ created < link.expires
           /\ ~bookings[booking].tooLate

\* P4. A key has one booking, a call creates one booking and is answered with it, a retry gets the
\* booking of its key, and no request is refused while its receipt is in force.
OneBookingPerKey ==
    \A one, other \in DOMAIN bookings :
        /\ one # other
        /\ bookings[one].link = bookings[other].link
        /\ IsKeyed(bookings[one].by)
        => bookings[one].by.key # bookings[other].by.key

OneBookingPerCall == \A w \in Workers : Cardinality(call[w].ownBookings) <= 1

IsRedeemAnswer == answer # None /\ answer.request # None
IsBooked == answer.code \in {"booked", "confirmed"}

CallsGetTheirOwn ==
    IsRedeemAnswer =>
        /\ Cardinality(answer.ownBookings) <= 1
        /\ answer.ownBookings # {} =>
            answer.code = "booked" /\ answer.shows /\ answer.booking \in answer.ownBookings

RetriesGetTheSame ==
    IsRedeemAnswer /\ answer.bookingOfKey # 0 =>
        IF BodyOf(bookings[answer.bookingOfKey].by) = BodyOf(answer.request)
        THEN answer.booking = answer.bookingOfKey
        ELSE answer.code = "idempotency-key-reused"

NoFalseRefusal ==
    IsRedeemAnswer /\ ~IsBooked /\ answer.code # "idempotency-key-reused" =>
        IsAbsentOrOver(ReceiptOf(answer.link, answer.request), clock)

P4 == OneBookingPerKey /\ OneBookingPerCall /\ CallsGetTheirOwn /\ RetriesGetTheSame /\ NoFalseRefusal

\* P8. Exactly the cells of confirmed bookings are busy. A use is restored only if the link's settings
\* allow it, and once for each cancelled booking. A revoked, replaced or deleted link never becomes
\* active again.
P8 ==
    /\ busy = UNION {CellsOf(bookings[booking]) : booking \in Confirmed}
    /\ \A link \in DOMAIN links :
        /\ links[link].restored > 0 => links[link].restorable
        /\ links[link].restored <= Cardinality(BookingsOf(link) \ Confirmed)
        /\ links[link].ended => StatusAt(links[link], clock) # "active"

\* `usageCount` is the number of bookings minus the restored uses; moves don't change it. Restored uses
\* and an invitee's moves are limited (P15).
Counted ==
    /\ \A booking \in DOMAIN bookings : bookings[booking].moves <= MaxMoves
    /\ \A link \in DOMAIN links :
        /\ links[link].uses = Cardinality(BookingsOf(link)) - links[link].restored
        /\ links[link].restored <= MaxRestoredUses
        /\ IsActive(links[link]) /\ links[link].max # Unlimited => links[link].uses < links[link].max

\* At most one rolling link can be used: the one that the pointer names.
OneRollingLink ==
    \A link \in DOMAIN links :
        links[link].rolling /\ StatusAt(links[link], clock) = "active" => pointer = link

\* A replacement restores uses as the link that it replaced did when that was created.
SameSettings ==
    \A link \in DOMAIN links :
        links[link].from # 0 => links[link].restorable = links[links[link].from].restorable

\* Only the caller who made a booking gets its URL, person and answers. (A key is known only to its
\* caller.) A caller who does not know the whole body does not even get its time.
Secrecy ==
    IsRedeemAnswer /\ answer.booking # 0 =>
        LET by == bookings[answer.booking].by IN
        /\ answer.shows => by.caller = answer.request.caller
        /\ BodyOf(by) = BodyOf(answer.request)

=============================================================================
