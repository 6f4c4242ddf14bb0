--------------------------------- MODULE Red ---------------------------------
(***************************************************************************)
(* Broken variants of the model.  Each .cfg file in red/ replaces one or   *)
(* two definitions of AdmitOne by definitions from here, and TLC must find *)
(* a state in which the invariant that the file names does not hold.       *)
(***************************************************************************)
EXTENDS Bounds

OnlyOnce == {[Twice EXCEPT !.max = 1]}
OnlyRestoring == {Restoring}
OnlyTwice == {Twice}
OnlyTimed == {Timed}

\* Book, then count: the transaction neither requires a use nor counts it; a later write does.
RedeemMayCommitUncounted(k) ==
    /\ BookingIsNew(k) /\ ReceiptIsFree(k) /\ CellsAreFree(k)
    /\ Exists(links[k.link]) /\ IsActive(links[k.link]) /\ IsUnexpired(links[k.link], k.now)
    /\ IsOpen(links[k.link], k.now)
RedeemCommitsUncounted(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommitUncounted(k)
    /\ WriteBooking(k) /\ WriteReceipt(k) /\ UNCHANGED <<clock, links, pointer>>
    /\ Set(w, [k EXCEPT !.pc = "redeem: count"])
RedeemCounts(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: count"
    /\ WriteUse(k) /\ UNCHANGED <<clock, bookings, receipts, busy>>
    /\ Set(w, Done)
BookThenCount(w) == RedeemCommitsUncounted(w) \/ RedeemCounts(w)

\* The receipt is written after the transaction.
RedeemCommitsWithoutReceipt(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommit(k)
    /\ WriteBooking(k) /\ WriteUse(k) /\ UNCHANGED <<clock, receipts>>
    /\ Set(w, [Booked(k) EXCEPT !.pc = "redeem: write receipt"])
RedeemWritesReceipt(w) ==
    LET k == call[w]
        made == CHOOSE booking \in k.own : TRUE
    IN /\ k.pc = "redeem: write receipt"
       /\ receipts' = receipts \cup {NewReceipt(k.link, k.request, made, k.now)}
       /\ UNCHANGED <<clock, links, bookings, busy, pointer>>
       /\ Set(w, Answered(k, "booked", made, TRUE))
ReceiptLater(w) == RedeemCommitsWithoutReceipt(w) \/ RedeemWritesReceipt(w)

Never(w) == FALSE

\* A cancellation restores a use, whatever has happened to the link since it was read.
RestoreUnconditionally(link, seen) == TRUE

\* `expiresAt` itself is still early enough.
IsExpiredAfter(link, now) == link.expires # None /\ link.expires < now
IsUnexpiredUntil(link, now) == link.expires # None => link.expires >= now

\* Replacing a used link does nothing to it (a cancellation can then restore it).
EndedOnlyIfActive(link, seen, now) ==
    IF StatusAt(seen, now) = "active" THEN Revoked(link)
    ELSE [link EXCEPT !.ended = @ \/ IsRestorable(seen, now)]

\* Without a key, a request counts as a retry if start and address are the same, and gets the booking.
ReceiptIdOfAddress(request) ==
    IF IsKeyed(request) THEN <<"key", request.key>> ELSE <<"body", request.start, request.email>>
ShowsAlways(request, own) == TRUE

\* Cells are taken, whoever has them.
AnyCellsAreFree(k) == TRUE

\* Each attempt has a booking id of its own.
AnyBookingIsNew(k) == TRUE
=============================================================================
