------------------------------ MODULE AdmitOne ------------------------------
(***************************************************************************)
(* Links, bookings, receipts and busy time, as the services change them.   *)
(*                                                                         *)
(* Every action below is one request to DynamoDB: a read, or a write that  *)
(* commits or is refused as a whole.  Between any two requests of a call,  *)
(* every other call may make its own, the clock may advance, and a reply   *)
(* may be lost.  A crash needs no action: a crashed call makes no further  *)
(* request.  README.md explains the model and its limits.                  *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    None,           \* no value
    Workers,        \* run calls, each one after another; so their number is how many run at once
    MostCalls,      \* how many calls are made
    Verbs,          \* what calls may do: "redeem", "cancel", "move" ...
    Requests,       \* what a redeem may ask for: [caller, key, start, email, name]
    Settings,       \* the settings that a generated link may have
    RollingSettings,\* the settings of an event type's first rolling link
    Generated,      \* how many links are generated
    Starts,         \* the cells that a booking may be moved to
    Limits,         \* the numbers of uses that a change may set
    DayLength,      \* how many cells a day has
    LastTick,       \* when the clock stops
    Second,         \* the table stores the end of a receipt in whole seconds
    KeylessWindow,  \* how long a receipt without a key is in force
    KeyedWindow,    \* how long a receipt with a key is in force
    MostRestored,   \* how many uses of a link cancellations may restore
    MostLost,       \* how many replies to committed writes a call may lose
    Interruptible,  \* where a failed request makes a call start again
    MostMoves       \* how often an invitee may move a booking

VARIABLES
    clock,          \* the time; all functions' clocks are equal
    links,          \* the links, in the order in which they were created
    bookings,       \* the bookings, likewise
    receipts,       \* a set of records
    busy,           \* the host's busy cells
    pointer,        \* the number of the rolling link, 0 if there was none
    call,           \* what the call of each worker is doing and has read
    begun,          \* how many calls have begun
    answer          \* what a redeem was just answered, otherwise None

table == <<links, bookings, receipts, busy, pointer>>
vars == <<clock, links, bookings, receipts, busy, pointer, call, begun, answer>>

Unlimited == 0

-----------------------------------------------------------------------------
(* Links.  `ended` and `restorable` are not stored: the invariants need    *)
(* them.  A link is `ended` once it was revoked, made impossible to        *)
(* restore, or deleted.                                                    *)

NewLink(setting, now) ==
    [max |-> setting.max, opens |-> setting.opens, expires |-> setting.expires,
     restore |-> setting.restore, rolling |-> setting.rolling,
     before |-> setting.before, after |-> setting.after,
     status |-> "active", uses |-> 0, restored |-> 0, sequence |-> 1, edition |-> 1,
     created |-> now, ended |-> FALSE, restorable |-> setting.restore]

\* A fresh link has the settings of the old one; an expiry that has passed is extended.
FreshLink(old, now, rolling) ==
    NewLink([old EXCEPT
        !.rolling = rolling,
        !.expires = IF @ = None \/ @ > now THEN @ ELSE now + (@ - old.created)], now)

IsDeleted(link) == link.status = "deleted"
IsExpired(link, now) == link.expires # None /\ link.expires <= now

\* The stored status may lag behind the clock.
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

\* Conditions of writes.  `link` is the stored item, `seen` is what the call read.
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

\* A whole item is written over the stored one; what is not stored remains.
Put(link, item) == [item EXCEPT !.ended = link.ended]

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

\* Rounded up with a key, and down without one: a retry is never confirmed for longer than promised.
ReceiptEnd(request, now) ==
    IF IsKeyed(request) THEN ((now + KeyedWindow + Second - 1) \div Second) * Second
    ELSE ((now + KeylessWindow) \div Second) * Second

NewReceipt(link, request, booking, now) ==
    [link |-> link, id |-> ReceiptId(request), body |-> BodyOf(request), booking |-> booking,
     end |-> ReceiptEnd(request, now)]

\* A receipt that has ended counts as absent, even if TTL has not deleted it.
IsAbsentOrOver(receipt, now) == receipt # None => receipt.end <= now

\* A call always finds a booking that it has made itself.
IsInForce(receipt, k, now) ==
    receipt # None /\ (receipt.end > now \/ receipt.booking \in k.own)

\* Without a key, only the call that made the booking gets it back.
ShowsBooking(request, own) == IsKeyed(request) \/ own

-----------------------------------------------------------------------------
(* Calls.                                                                  *)
(*   verb       what the call does; link, booking and request say to what  *)
(*   pc         its next request to DynamoDB                               *)
(*   seen...    what it has read; toRead are the days that it still reads  *)
(*   now        the clock after its last read                              *)
(*   refusal    what it answers unless it finds its booking                *)
(*   own        the bookings that it has committed                         *)
(*   made       the link that it has committed, 0 if none                  *)
(*   lost       how many replies to its writes were lost                   *)
(*   due        the booking that an earlier request with this key has made *)
(*   isPartial  whether its reads return the link before the receipt       *)

Idle ==
    [verb |-> None, pc |-> "idle", link |-> 0, booking |-> 0, request |-> None,
     seenLink |-> None, seenReceipt |-> None, seenBooking |-> None, seenPointer |-> 0,
     seenBusy |-> {}, toRead |-> {}, isSame |-> TRUE, now |-> 0,
     refusal |-> None, own |-> {}, made |-> 0, due |-> 0, lost |-> 0,
     isPartial |-> FALSE, answer |-> None]

\* A call that has ended leaves its worker idle.  Only the answers of redeems matter.
Done == Idle
Answered(k, code, booking, shows) ==
    [Idle EXCEPT !.answer = [link |-> k.link, request |-> k.request, own |-> k.own, due |-> k.due,
                             code |-> code, booking |-> booking, shows |-> shows]]

Set(w, k) ==
    /\ call' = [call EXCEPT ![w] = [k EXCEPT !.answer = None]]
    /\ begun' = IF call[w].pc = "idle" /\ k.pc # "idle" THEN begun + 1 ELSE begun
    /\ answer' = k.answer

\* Another attempt begins with new reads.  Only what the call is and has done remains.
Again(k) ==
    [Idle EXCEPT !.verb = k.verb, !.pc = "again", !.link = k.link, !.booking = k.booking,
                 !.request = k.request, !.own = k.own, !.made = k.made, !.due = k.due,
                 !.lost = k.lost, !.isPartial = k.isPartial]

\* A write has committed, but its reply is lost.
MayLose(k) == k.lost < MostLost
Lost(k) == [k EXCEPT !.lost = @ + 1]

IsAgain(w, verb) == call[w].pc = "again" /\ call[w].verb = verb
May(w, k) == call[w].pc = "idle" /\ k.verb \in Verbs /\ begun < MostCalls

-----------------------------------------------------------------------------
(* Redeem: service/bookings/redeem.py and store/redeem.py.                 *)

\* The booking that this call has made, in its current state.
OwnBooking(k) == Answered(k, "booked", CHOOSE booking \in k.own : TRUE, TRUE)

Replayed(k) ==
    IF IsKeyed(k.request) /\ k.seenReceipt.body # BodyOf(k.request)
    THEN Answered(k, "idempotency-key-reused", 0, FALSE)
    ELSE [k EXCEPT !.pc = "redeem: replay"]

Refused(k, refusal) ==
    IF k.own # {} THEN [k EXCEPT !.pc = "redeem: own booking"]
    ELSE IF refusal = "link-not-open" THEN Answered(k, refusal, 0, FALSE)
    ELSE [k EXCEPT !.pc = "redeem: look again", !.refusal = refusal]

\* What a redeem does once it has read the link and its receipt.
HasRead(k) ==
    IF IsInForce(k.seenReceipt, k, k.now) THEN Replayed(k)
    ELSE LET refusal == RefusalAt(k.seenLink, k.now)
         IN IF refusal # None THEN Refused(k, refusal) ELSE [k EXCEPT !.pc = "redeem: plan"]

RedeemReads(w, k) ==
    /\ Set(w, HasRead([k EXCEPT !.seenLink = links[k.link],
                                !.seenReceipt = ReceiptOf(k.link, k.request), !.now = clock]))
    /\ UNCHANGED <<clock, table>>

RedeemReadsLink(w, k) ==
    /\ Set(w, [k EXCEPT !.pc = "redeem: receipt", !.seenLink = links[k.link], !.now = clock])
    /\ UNCHANGED <<clock, table>>

WithKeyOf(link, request) ==
    {booking \in DOMAIN bookings :
        bookings[booking].link = link /\ bookings[booking].by.key = request.key}

NewRedeem(link, request) ==
    [Idle EXCEPT !.verb = "redeem", !.link = link, !.request = request,
                 !.due = IF IsKeyed(request) /\ WithKeyOf(link, request) # {}
                         THEN CHOOSE booking \in WithKeyOf(link, request) : TRUE ELSE 0]

RedeemBegin(w) ==
    \E link \in DOMAIN links, request \in Requests :
        May(w, NewRedeem(link, request)) /\ RedeemReads(w, NewRedeem(link, request))

RedeemRead(w) == IsAgain(w, "redeem") /\ RedeemReads(w, call[w])

\* BatchGetItem may return the link first and the receipt later.
RedeemBeginWithLink(w) ==
    \E link \in DOMAIN links, request \in Requests :
        LET k == [NewRedeem(link, request) EXCEPT !.isPartial = TRUE] IN
        May(w, k) /\ RedeemReadsLink(w, k)

RedeemReadLink(w) == IsAgain(w, "redeem") /\ call[w].isPartial /\ RedeemReadsLink(w, call[w])

RedeemReadReceipt(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: receipt"
    /\ Set(w, HasRead([k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request), !.now = clock]))
    /\ UNCHANGED <<clock, table>>

\* Reads the event type and the host.  The write uses the clock of this moment (P3).
RedeemPlan(w) ==
    LET k == call[w]
        refusal == RefusalAt(k.seenLink, clock)
    IN /\ k.pc = "redeem: plan"
       /\ Set(w, IF refusal # None THEN Refused([k EXCEPT !.now = clock], refusal)
                 ELSE [k EXCEPT !.pc = "redeem: write", !.now = clock])
       /\ UNCHANGED <<clock, table>>

\* The conditions of the transaction.  All attempts of a call use one booking id.
BookingIsNew(k) == k.own = {}
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
     moves |-> 0, made |-> k.now, by |-> k.request, tooLate |-> links[k.link].ended]

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
    THEN /\ links' = Append(counted, FreshLink(k.seenLink, k.now, TRUE))
         /\ pointer' = Len(links) + 1
    ELSE links' = counted /\ UNCHANGED pointer

RedeemWrites(k) == WriteBooking(k) /\ WriteReceipt(k) /\ WriteUse(k) /\ UNCHANGED clock

Booked(k) == [k EXCEPT !.own = @ \cup {Len(bookings) + 1}]

RedeemCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommit(k) /\ RedeemWrites(k)
    /\ Set(w, Answered(Booked(k), "booked", Len(bookings) + 1, TRUE))

RedeemLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ MayLose(k) /\ RedeemMayCommit(k) /\ RedeemWrites(k)
    /\ Set(w, Again(Lost(Booked(k))))

\* Why the transaction was refused.  The booking and the receipt come first, because a retry must
\* not get "link-used" (P4).
RedeemRefused(w) ==
    LET k == call[w]
        refusal == RefusalAt(links[k.link], k.now)
    IN /\ k.pc = "redeem: write" /\ ~RedeemMayCommit(k)
       /\ Set(w,
            IF ~BookingIsNew(k) THEN OwnBooking(k)
            ELSE IF ~ReceiptIsFree(k)
            THEN Replayed([k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request)])
            ELSE IF ~LinkIsUsable(k)
            THEN IF refusal # None THEN Refused(k, refusal) ELSE Again(k)
            ELSE IF ~CellsAreFree(k) THEN Refused(k, "slot-taken")
            ELSE Again(k))
       /\ UNCHANGED <<clock, table>>

\* Before a refusal, the receipt is read once more, and the link if it was refused.
LooksAgain(k) ==
    IF IsInForce(k.seenReceipt, k, k.now) THEN Replayed(k)
    ELSE IF k.isSame THEN Answered(k, k.refusal, 0, FALSE)
    ELSE Again(k)

IsSameLink(k) ==
    LET link == links[k.link] IN
    link.sequence = k.seenLink.sequence /\ link.status = k.seenLink.status

RedeemLookAgain(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: look again"
    /\ Set(w, LooksAgain([k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request), !.now = clock,
                                   !.isSame = k.refusal = "slot-taken" \/ IsSameLink(k)]))
    /\ UNCHANGED <<clock, table>>

RedeemLookAgainAtLink(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: look again" /\ k.refusal # "slot-taken" /\ k.isPartial
    /\ Set(w, [k EXCEPT !.pc = "redeem: look again at the receipt", !.isSame = IsSameLink(k)])
    /\ UNCHANGED <<clock, table>>

RedeemLookAgainAtReceipt(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: look again at the receipt"
    /\ Set(w, LooksAgain([k EXCEPT !.seenReceipt = ReceiptOf(k.link, k.request), !.now = clock]))
    /\ UNCHANGED <<clock, table>>

\* Reads the booking that this call has made, instead of a refusal, even if its receipt is gone (P4).
RedeemOwnBooking(w) ==
    /\ call[w].pc = "redeem: own booking"
    /\ Set(w, OwnBooking(call[w])) /\ UNCHANGED <<clock, table>>

\* Reads the booking of a receipt.  A keyless receipt no longer counts once its booking left its slot.
RedeemReplay(w) ==
    LET k == call[w]
        booking == k.seenReceipt.booking
        hasLeft == ~IsKeyed(k.request) /\ bookings[booking].receipt # ReceiptId(k.request)
        shows == ShowsBooking(k.request, booking \in k.own)
    IN /\ k.pc = "redeem: replay"
       /\ Set(w, IF hasLeft THEN Again(k)
                 ELSE Answered(k, IF shows THEN "booked" ELSE "confirmed", booking, shows))
       /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Cancel: service/bookings/cancel.py.                                     *)

CancelReads(w, k) ==
    /\ Set(w, IF bookings[k.booking].status = "cancelled" THEN Done
              ELSE [k EXCEPT !.pc = "cancel: link", !.seenBooking = bookings[k.booking]])
    /\ UNCHANGED <<clock, table>>

CancelBegin(w) ==
    \E booking \in DOMAIN bookings :
        LET k == [Idle EXCEPT !.verb = "cancel", !.booking = booking] IN
        May(w, k) /\ CancelReads(w, k)

CancelRead(w) == IsAgain(w, "cancel") /\ CancelReads(w, call[w])

CancelReadLink(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: link"
    /\ Set(w, [k EXCEPT !.pc = "cancel: write", !.seenLink = links[k.seenBooking.link],
                        !.now = clock])
    /\ UNCHANGED <<clock, table>>

Restores(link, now) ==
    /\ Exists(link) /\ link.restore /\ ~link.rolling /\ link.uses >= 1
    /\ StatusAt(link, now) \in {"active", "used"} /\ ~IsExpired(link, now)
    /\ link.restored < MostRestored

\* The whole item is written as it was read, so it must not have changed since.
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
                   THEN [links EXCEPT ![link] = Put(@, RestoredLink(k.seenLink))]
                   ELSE links
       /\ UNCHANGED <<clock, pointer>>

CancelCommit(w) ==
    LET k == call[w] IN
    k.pc = "cancel: write" /\ CancelMayCommit(k) /\ CancelWrites(k) /\ Set(w, Done)

CancelLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: write" /\ MayLose(k) /\ CancelMayCommit(k) /\ CancelWrites(k)
    /\ Set(w, Again(Lost(k)))

CancelRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "cancel: write" /\ ~CancelMayCommit(k)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Move: service/bookings/move.py and store/bookings/days.py.              *)

Freed(k) == CellsOf(k.seenBooking)
Taken(k) == Cells(k.request.start, k.seenBooking.before, k.seenBooking.after)

MoveReads(w, k) ==
    LET booking == bookings[k.booking]
        read == [k EXCEPT !.pc = "move: days", !.seenBooking = booking]
    IN /\ Set(w, IF \/ booking.status = "cancelled" \/ booking.start = k.request.start
                    \/ k.request.byInvitee /\ booking.moves >= MostMoves
                 THEN Done
                 ELSE [read EXCEPT !.toRead = DaysOf(Taken(read))])
       /\ UNCHANGED <<clock, table>>

MoveBegin(w) ==
    \E booking \in DOMAIN bookings, start \in Starts, byInvitee \in BOOLEAN :
        LET k == [Idle EXCEPT !.verb = "move", !.booking = booking,
                              !.request = [start |-> start, byInvitee |-> byInvitee]]
        IN May(w, k) /\ MoveReads(w, k)

MoveRead(w) == IsAgain(w, "move") /\ MoveReads(w, call[w])

\* Each day on which cells are taken is read, so that a busy cell is found before the write.
MoveReadDay(w) ==
    LET k == call[w]
        day == CHOOSE one \in k.toRead : \A other \in k.toRead : one <= other
        seen == OnDay(busy, day)
    IN /\ k.pc = "move: days"
       /\ Set(w, IF (seen \ Freed(k)) \cap OnDay(Taken(k), day) # {}
                 THEN [k EXCEPT !.pc = "move: taken"]
                 ELSE [k EXCEPT !.pc = IF k.toRead = {day} THEN "move: write" ELSE @,
                                !.toRead = @ \ {day}, !.seenBusy = @ \cup seen, !.now = clock])
       /\ UNCHANGED <<clock, table>>

\* The same request, sent twice, may have moved the booking already.
MoveTaken(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: taken"
    /\ Set(w, IF bookings[k.booking].sequence # k.seenBooking.sequence THEN Again(k) ELSE Done)
    /\ UNCHANGED <<clock, table>>

\* A day that is only freed has no condition, a day that is only taken needs free cells.  A day
\* with both is written as a whole, so it must not have changed since it was read.
DayCondition(k, day) ==
    LET added == OnDay(Taken(k), day)
        removed == OnDay(Freed(k), day)
    IN CASE added = {} -> TRUE
         [] removed = {} -> added \cap busy = {}
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
    k.pc = "move: write" /\ MoveMayCommit(k) /\ MoveWrites(k) /\ Set(w, Done)

MoveLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: write" /\ MayLose(k) /\ MoveMayCommit(k) /\ MoveWrites(k)
    /\ Set(w, Again(Lost(k)))

MoveRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "move: write" /\ ~MoveMayCommit(k)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Revoke and delete: service/links/revoke.py.                             *)

RevokeReads(w, k) ==
    LET link == links[k.link] IN
    /\ Set(w, IF StatusAt(link, clock) # "active" /\ ~IsRestorable(link, clock) THEN Done
              ELSE [k EXCEPT !.pc = "revoke: write", !.now = clock])
    /\ UNCHANGED <<clock, table>>

RevokeBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "revoke", !.link = link] IN May(w, k) /\ RevokeReads(w, k)

RevokeRead(w) == IsAgain(w, "revoke") /\ RevokeReads(w, call[w])

Revoked(link) == [link EXCEPT !.status = "revoked", !.sequence = @ + 1, !.ended = TRUE]

RevokeWrites(k) ==
    /\ links' = [links EXCEPT ![k.link] = Revoked(@)]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

RevokeCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ IsRevocable(links[k.link], k.now)
    /\ RevokeWrites(k) /\ Set(w, Done)

RevokeLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ MayLose(k) /\ IsRevocable(links[k.link], k.now)
    /\ RevokeWrites(k) /\ Set(w, Again(Lost(k)))

RevokeRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "revoke: write" /\ ~IsRevocable(links[k.link], k.now)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

\* A deleted link remains in `links` as "deleted": for every condition, its item does not exist.
DeleteReads(w, k) ==
    /\ Set(w, IF IsDeleted(links[k.link]) THEN Done
              ELSE [k EXCEPT !.pc = "delete: write", !.seenLink = links[k.link]])
    /\ UNCHANGED <<clock, table>>

DeleteBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "delete", !.link = link] IN May(w, k) /\ DeleteReads(w, k)

DeleteWrites(k) ==
    /\ links' = [links EXCEPT ![k.link] = [@ EXCEPT !.status = "deleted", !.ended = TRUE]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

DeleteCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ Unchanged(links[k.link], k.seenLink)
    /\ DeleteWrites(k) /\ Set(w, Done)

\* The same write is sent again, and refused.
DeleteLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ MayLose(k) /\ Unchanged(links[k.link], k.seenLink)
    /\ DeleteWrites(k) /\ Set(w, Lost(k))

DeleteRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "delete: write" /\ ~Unchanged(links[k.link], k.seenLink)
    /\ Set(w, [k EXCEPT !.pc = "delete: look again"]) /\ UNCHANGED <<clock, table>>

DeleteLookAgain(w) == call[w].pc = "delete: look again" /\ DeleteReads(w, call[w])

-----------------------------------------------------------------------------
(* Change the number of uses: service/links/change.py.                     *)

ChangeReads(w, k) ==
    LET link == links[k.link]
        most == k.request.most
    IN /\ Set(w, IF \/ IsDeleted(link) \/ most = link.max \/ StatusAt(link, clock) # "active"
                    \/ most # Unlimited /\ most < link.uses
                 THEN Done
                 ELSE [k EXCEPT !.pc = "change: write", !.seenLink = link])
       /\ UNCHANGED <<clock, table>>

ChangeBegin(w) ==
    \E link \in DOMAIN links, most \in Limits :
        LET k == [Idle EXCEPT !.verb = "change", !.link = link, !.request = [most |-> most]] IN
        ~links[link].rolling /\ May(w, k) /\ ChangeReads(w, k)

ChangeRead(w) == IsAgain(w, "change") /\ ChangeReads(w, call[w])

ChangeWrites(k) ==
    LET seen == k.seenLink
        most == k.request.most
        changed == [seen EXCEPT
            !.max = most, !.sequence = @ + 1, !.edition = @ + 1,
            !.status = IF most # Unlimited /\ most <= seen.uses THEN "used" ELSE @]
    IN /\ links' = [links EXCEPT ![k.link] = Put(@, changed)]
       /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>>

ChangeCommit(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ Unchanged(links[k.link], k.seenLink)
    /\ ChangeWrites(k) /\ Set(w, Done)

\* The same write is sent again, and refused.
ChangeLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ MayLose(k) /\ Unchanged(links[k.link], k.seenLink)
    /\ ChangeWrites(k) /\ Set(w, Lost(k))

ChangeRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "change: write" /\ ~Unchanged(links[k.link], k.seenLink)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Replace: service/links/replace.py, also the answer to a request for a   *)
(* new link.  Renew: service/links/rolling.py.                             *)

\* An active link is revoked.  A used link stays used, but can't be restored any more (P8).
\* A replacement copies the settings that were read, so they must not have changed.
MayEnd(link, seen, now) ==
    IF StatusAt(seen, now) = "active"
    THEN IsAlive(link, now) /\ SameEdition(link, seen)
    ELSE Unchanged(link, seen)

NotRestorable(link) ==
    [link EXCEPT !.restore = FALSE, !.edition = @ + 1, !.sequence = @ + 1, !.ended = TRUE]

Ended(link, seen, now) ==
    CASE StatusAt(seen, now) = "active" -> Revoked(link)
      [] IsRestorable(seen, now) -> NotRestorable(link)
      [] OTHER -> link  \* only checked, not written

ReplaceReads(w, k) ==
    LET link == links[k.link] IN
    /\ Set(w, IF IsDeleted(link) THEN Done
              ELSE [k EXCEPT !.pc = IF link.rolling THEN "replace: pointer" ELSE "replace: write",
                             !.seenLink = link, !.now = clock])
    /\ UNCHANGED <<clock, table>>

ReplaceBegin(w) ==
    \E link \in DOMAIN links :
        LET k == [Idle EXCEPT !.verb = "replace", !.link = link] IN May(w, k) /\ ReplaceReads(w, k)

ReplaceRead(w) == IsAgain(w, "replace") /\ ReplaceReads(w, call[w])

ReplaceReadPointer(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: pointer"
    /\ Set(w, [k EXCEPT !.pc = "replace: write", !.seenPointer = pointer, !.now = clock])
    /\ UNCHANGED <<clock, table>>

\* The first attempt may have succeeded and its reply was lost: then its link is there.
ReplaceReadMade(w) ==
    LET k == call[w] IN
    /\ k.pc \in {"replace: pointer", "replace: write"} /\ k.made > 0
    /\ Set(w, Done) /\ UNCHANGED <<clock, table>>

ReplacesRolling(k) == k.seenLink.rolling /\ k.seenPointer = k.link

ReplaceMayCommit(k) ==
    /\ k.made = 0
    /\ MayEnd(links[k.link], k.seenLink, k.now)
    /\ ReplacesRolling(k) => pointer = k.seenPointer

ReplaceWrites(k) ==
    LET ended == [links EXCEPT ![k.link] = Ended(@, k.seenLink, k.now)] IN
    /\ links' = Append(ended, FreshLink(k.seenLink, k.now, ReplacesRolling(k)))
    /\ pointer' = IF ReplacesRolling(k) THEN Len(links) + 1 ELSE pointer
    /\ UNCHANGED <<clock, bookings, receipts, busy>>

ReplaceCommit(w) ==
    LET k == call[w] IN
    k.pc = "replace: write" /\ ReplaceMayCommit(k) /\ ReplaceWrites(k) /\ Set(w, Done)

ReplaceLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: write" /\ MayLose(k) /\ ReplaceMayCommit(k) /\ ReplaceWrites(k)
    /\ Set(w, Again(Lost([k EXCEPT !.made = Len(links) + 1])))

ReplaceRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "replace: write" /\ ~ReplaceMayCommit(k)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

RenewReads(w, k) ==
    /\ Set(w, [k EXCEPT !.pc = IF pointer = 0 THEN "renew: write" ELSE "renew: link",
                        !.seenPointer = pointer, !.now = clock])
    /\ UNCHANGED <<clock, table>>

RenewBegin(w) ==
    LET k == [Idle EXCEPT !.verb = "renew"] IN May(w, k) /\ RenewReads(w, k)

RenewRead(w) == IsAgain(w, "renew") /\ RenewReads(w, call[w])

RenewReadMade(w) ==
    /\ IsAgain(w, "renew") /\ call[w].made > 0
    /\ Set(w, Done) /\ UNCHANGED <<clock, table>>

RenewReadLink(w) ==
    LET k == call[w]
        link == links[k.seenPointer]
    IN /\ k.pc = "renew: link"
       /\ Set(w, [k EXCEPT !.pc = "renew: write", !.now = clock,
                           !.seenLink = IF IsDeleted(link) THEN None ELSE link])
       /\ UNCHANGED <<clock, table>>

RenewMayCommit(k) ==
    /\ k.made = 0
    /\ pointer = k.seenPointer
    /\ k.seenLink # None => MayEnd(links[k.seenPointer], k.seenLink, k.now)

RenewWrites(k) ==
    LET fresh == IF k.seenLink = None THEN NewLink(RollingSettings, k.now)
                 ELSE FreshLink(k.seenLink, k.now, TRUE)
        ended == IF k.seenLink = None THEN links
                 ELSE [links EXCEPT ![k.seenPointer] = Ended(@, k.seenLink, k.now)]
    IN /\ links' = Append(ended, fresh)
       /\ pointer' = Len(links) + 1
       /\ UNCHANGED <<clock, bookings, receipts, busy>>

RenewCommit(w) ==
    LET k == call[w] IN
    k.pc = "renew: write" /\ RenewMayCommit(k) /\ RenewWrites(k) /\ Set(w, Done)

RenewLost(w) ==
    LET k == call[w] IN
    /\ k.pc = "renew: write" /\ MayLose(k) /\ RenewMayCommit(k) /\ RenewWrites(k)
    /\ Set(w, Again(Lost([k EXCEPT !.made = Len(links) + 1])))

RenewRefused(w) ==
    LET k == call[w] IN
    /\ k.pc = "renew: write" /\ ~RenewMayCommit(k)
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

-----------------------------------------------------------------------------
(* Everything else.                                                        *)

\* DynamoDB refused or throttled a request, or did not answer, and nothing was written.  A delete
\* keeps what it has read.
StartAgain(w) ==
    LET k == call[w] IN
    /\ k.pc \in Interruptible /\ k.verb # "delete"
    /\ Set(w, Again(k)) /\ UNCHANGED <<clock, table>>

NoCall == answer' = None /\ UNCHANGED <<call, begun>>

\* The expiry schedule marks a due link: service/links/expire.py.
ExpireLink ==
    /\ "expire" \in Verbs
    /\ \E link \in DOMAIN links :
        /\ IsActive(links[link]) /\ IsExpired(links[link], clock)
        /\ links' = [links EXCEPT ![link] = [@ EXCEPT !.status = "expired", !.sequence = @ + 1]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

\* TTL deletes an item some time after the link has ended.
PurgeLink ==
    /\ "purge" \in Verbs
    /\ \E link \in DOMAIN links :
        /\ StatusAt(links[link], clock) \in {"used", "expired", "revoked"}
        /\ links' = [links EXCEPT ![link] = [@ EXCEPT !.status = "deleted", !.ended = TRUE]]
    /\ UNCHANGED <<clock, bookings, receipts, busy, pointer>> /\ NoCall

\* A host creates links: service/links/generate.py.  Within bounds, this happens before any call.
\* A rolling link stands for one that an earlier renewal made.
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
    \/ RedeemBeginWithLink(w) \/ RedeemReadLink(w) \/ RedeemReadReceipt(w)
    \/ RedeemPlan(w) \/ RedeemCommit(w) \/ RedeemLost(w) \/ RedeemRefused(w)
    \/ RedeemLookAgain(w) \/ RedeemLookAgainAtLink(w) \/ RedeemLookAgainAtReceipt(w)
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
    \/ ReplaceBegin(w) \/ ReplaceRead(w) \/ ReplaceReadPointer(w) \/ ReplaceReadMade(w)
    \/ ReplaceCommit(w) \/ ReplaceLost(w) \/ ReplaceRefused(w)
    \/ RenewBegin(w) \/ RenewRead(w) \/ RenewReadMade(w) \/ RenewReadLink(w)
    \/ RenewCommit(w) \/ RenewLost(w) \/ RenewRefused(w)

Next ==
    \/ \E w \in Workers : RedeemStep(w) \/ BookingStep(w) \/ LinkStep(w) \/ StartAgain(w)
    \/ GenerateLink \/ ExpireLink \/ PurgeLink \/ Tick

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* What must hold in every state.  docs/promises.md has the promises.      *)

Confirmed == {booking \in DOMAIN bookings : bookings[booking].status = "confirmed"}
BookingsOf(link) == {booking \in DOMAIN bookings : bookings[booking].link = link}

\* P1. A link gives at most `max` bookings, apart from those whose use was restored.
P1 ==
    \A link \in DOMAIN links :
        links[link].max # Unlimited =>
            Cardinality(BookingsOf(link)) - links[link].restored <= links[link].max

\* P2. No two confirmed bookings overlap.
P2 ==
    \A one, other \in Confirmed :
        one # other => CellsOf(bookings[one]) \cap CellsOf(bookings[other]) = {}

\* P3. Nothing books before a link opens, once it has expired, or after a revoke, a replacement
\* or a deletion.
P3 ==
    \A booking \in DOMAIN bookings :
        LET made == bookings[booking].made
            link == links[bookings[booking].link]
        IN /\ link.opens = None \/ link.opens <= made
           /\ link.expires = None \/ made < link.expires
           /\ ~bookings[booking].tooLate

\* P4. One key has one booking, one call makes one booking, and a retry gets the same booking.
OneBookingPerKey ==
    \A one, other \in DOMAIN bookings :
        /\ one # other
        /\ bookings[one].link = bookings[other].link
        /\ IsKeyed(bookings[one].by)
        => bookings[one].by.key # bookings[other].by.key

OneBookingPerCall == \A w \in Workers : Cardinality(call[w].own) <= 1

IsRefusal == answer.code \notin {"booked", "confirmed"}

RetriesGetTheSame ==
    answer # None =>
        /\ Cardinality(answer.own) <= 1
        /\ answer.own # {} => ~IsRefusal
        /\ answer.due # 0 =>
            IF BodyOf(bookings[answer.due].by) = BodyOf(answer.request)
            THEN answer.booking = answer.due
            ELSE answer.code = "idempotency-key-reused"
        /\ ~IsRefusal => BodyOf(bookings[answer.booking].by) = BodyOf(answer.request)

P4 == OneBookingPerKey /\ OneBookingPerCall /\ RetriesGetTheSame

\* P8. Only confirmed bookings occupy time; a use is restored only if the link's settings say so,
\* and never to a link that was revoked, replaced or deleted.
P8 ==
    /\ busy = UNION {CellsOf(bookings[booking]) : booking \in Confirmed}
    /\ \A link \in DOMAIN links :
        /\ links[link].restored > 0 => links[link].restorable
        /\ links[link].ended => StatusAt(links[link], clock) # "active"

\* The count is exact: every booking and every restored use is in it, and no move.  Restored uses and
\* moves are limited (P15).
Counted ==
    /\ \A booking \in DOMAIN bookings : bookings[booking].moves <= MostMoves
    /\ \A link \in DOMAIN links :
        /\ links[link].uses = Cardinality(BookingsOf(link)) - links[link].restored
        /\ links[link].restored <= MostRestored
        /\ IsActive(links[link]) /\ links[link].max # Unlimited => links[link].uses < links[link].max

\* At most one rolling link can be used: the one that the pointer names.
OneRollingLink ==
    \A link \in DOMAIN links :
        links[link].rolling /\ StatusAt(links[link], clock) = "active" => pointer = link

\* Nobody gets a booking that somebody else made: not its URL, person or answers.  A key is known
\* only to its caller.  Someone who does not know the whole body does not even learn the time.
Secrecy ==
    answer # None /\ answer.booking # 0 =>
        LET by == bookings[answer.booking].by IN
        /\ answer.shows => by.caller = answer.request.caller
        /\ BodyOf(by) = BodyOf(answer.request)

=============================================================================
