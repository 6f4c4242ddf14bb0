--------------------------------- MODULE Red ---------------------------------
(***************************************************************************)
(* Broken variants of the model. Each .cfg file in red/ replaces one to    *)
(* three definitions of AdmitOne by wrong ones from this module. TLC must  *)
(* find a state that violates the invariant in the file's first line.      *)
(***************************************************************************)
EXTENDS Bounds

OneLongUse == {[TwoUses EXCEPT !.max = 1]}
OnlyRestorableLink == {RestorableLink}
OnlyTwoUses == {TwoUses}
OnlyTimedLink == {TimedLink}

OnlyBob == {Bob}
OnlyAnn == {Ann}
OnlyAnnKeyed == {AnnKeyed}
AnnAndEve == {Ann, Eve}
AnnAndGuess == {Ann, EveGuess}

\* book-then-count: the transaction does not count the use; a later write counts it, without a condition.
RedeemMayCommitUncounted(k) ==
    /\ BookingIsNew(k) /\ ReceiptIsFree(k) /\ CellsAreFree(k)
    /\ Exists(links[k.link]) /\ IsActive(links[k.link]) /\ IsUnexpired(links[k.link], k.now)
    /\ IsOpen(links[k.link], k.now)
RedeemCommitsUncounted(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommitUncounted(k)
    /\ WriteBooking(k) /\ WriteReceipt(k) /\ UNCHANGED <<clock, links, pointer>>
    /\ SetCall(w, [k EXCEPT !.pc = "redeem: count"])
RedeemCounts(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: count"
    /\ WriteUse(k) /\ UNCHANGED <<clock, bookings, receipts, busy>>
    /\ SetCall(w, Done)
BookThenCount(w) == RedeemCommitsUncounted(w) \/ RedeemCounts(w)

\* receipt-later: the receipt is written after the transaction.
RedeemCommitsWithoutReceipt(w) ==
    LET k == call[w] IN
    /\ k.pc = "redeem: write" /\ RedeemMayCommit(k)
    /\ WriteBooking(k) /\ WriteUse(k) /\ UNCHANGED <<clock, receipts>>
    /\ SetCall(w, [Booked(k) EXCEPT !.pc = "redeem: write receipt"])
RedeemWritesReceipt(w) ==
    LET k == call[w]
        created == CHOOSE booking \in k.ownBookings : TRUE
    IN /\ k.pc = "redeem: write receipt"
       /\ receipts' = receipts \cup {NewReceipt(k.link, k.request, created, k.now)}
       /\ UNCHANGED <<clock, links, bookings, busy, pointer>>
       /\ SetCall(w, WithAnswer(k, "booked", created, TRUE))
ReceiptLater(w) == RedeemCommitsWithoutReceipt(w) \/ RedeemWritesReceipt(w)

\* Disables an action.
Never(w) == FALSE

\* overlapping-cells: a redeem takes cells without checking that they are free.
AnyCellsAreFree(k) == TRUE

\* moved-onto-busy-cells: a move takes the cells of another day without checking that they are free.
AnyAreFree(cells) == TRUE

\* expiry-inclusive: at `expiresAt` a link is not expired yet.
IsExpiredAfter(link, now) == link.expires # None /\ link.expires < now
IsUnexpiredUntil(link, now) == link.expires # None => link.expires >= now

\* booking-id-per-attempt: the condition on the booking id never fails, as if each attempt had a new id.
AnyBookingIsNew(k) == TRUE

\* receipt-before-own-booking: a call takes a receipt for its own, although it has another booking.
NoOtherBooking(k) == FALSE

\* refusal-without-second-look: a redeem returns a refusal without reading the receipt once more.
NeverLooksAgain(refusal) == FALSE

\* restore-unconditionally: a cancellation writes the link that it read, even if the link has changed since.
RestoreUnconditionally(link, seen) == TRUE

\* restored-twice: a cancelled booking can be cancelled again.
NeverCancelled(booking) == FALSE

\* replaced-link-restored: replacing a used link does not change it, so a cancellation can make it active
\* again.
ReplacedOnlyIfActive(link, seen, now) ==
    IF StatusAt(seen, now) = "active" THEN Revoked(link)
    ELSE [link EXCEPT !.ended = @ \/ IsRestorable(seen, now)]

\* recreated-after-deletion: a replacement whose link is gone creates it again, whoever deleted it.
NoHostDeleted(link) == FALSE

\* keyless-retry-by-another: without a key, any caller with the same body gets the whole booking.
ShowsAlways(request, own) == TRUE

\* keyless-retry-by-address: without a key, a request with the same start and address counts as a retry.
ReceiptIdOfAddress(request) ==
    IF IsKeyed(request) THEN <<"key", request.key>> ELSE <<"body", request.start, request.email>>

\* outdated-settings: a redeem counts a use by the settings that it read, even if they have changed since.
AnyEdition(link, seen) == TRUE

\* two-rolling-links: a renewal does not require that the pointer is unchanged.
AnyPointer(k) == TRUE

\* restore-lost: a second replacement copies only the settings that the first one left.
NeverPassedOnRestore(old) == FALSE
=============================================================================
