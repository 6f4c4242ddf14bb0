------------------------------- MODULE Bounds -------------------------------
(* The links, people and calls that TLC tries. Each .cfg file selects some of them. *)
EXTENDS AdmitOne, TLC

CONSTANTS
    w1, w2,
    EarlierRedeems  \* at most this many bookings exist before the first call

TwoWorkers == {w1, w2}

\* Workers are interchangeable: they differ only in their names, and no item has one.
Symmetry == Permutations(Workers)

AllVerbs == {"redeem", "cancel", "move", "revoke", "delete", "change", "replace", "renew",
             "expire", "purge"}

RequestOf(caller, key, start, name) ==
    [caller |-> caller, key |-> key, start |-> start, email |-> "ann", name |-> name]

\* Ann books with a key and without one. Bob books a later time, which overlaps Ann's booking after a
\* move. Eve has the link and guesses the start and the address (EveGuess), or the whole body (Eve).
AnnKeyed == RequestOf("ann", "k1", 1, "Ann")
AnnOther == RequestOf("ann", "k1", 2, "Ann")
Ann == RequestOf("ann", None, 1, "Ann")
Bob == [RequestOf("bob", None, 3, "Bob") EXCEPT !.email = "bob"]
EveGuess == RequestOf("eve", None, 1, "Eve")
Eve == RequestOf("eve", None, 1, "Ann")
AllRequests == {AnnKeyed, AnnOther, Ann, Bob, EveGuess, Eve}
AnnAndBob == {Ann, Bob}
AnnKeyedAndBob == {AnnKeyed, Bob}

PlainLink == [max |-> 1, opens |-> None, expires |-> None, restore |-> FALSE, rolling |-> FALSE,
              before |-> 0, after |-> 1]
RestorableLink == [PlainLink EXCEPT !.restore = TRUE]
TwoUses == [RestorableLink EXCEPT !.max = 2, !.after = 2]
TimedLink == [PlainLink EXCEPT !.opens = 1, !.expires = 2, !.restore = TRUE]
UnlimitedLink == [PlainLink EXCEPT !.max = Unlimited, !.before = 1]
RollingLink == [PlainLink EXCEPT !.rolling = TRUE]

SmallSettings == {RestorableLink, TwoUses, TimedLink, UnlimitedLink, RollingLink}
AllSettings == SmallSettings \cup {PlainLink}
CoveredSettings == {TwoUses, TimedLink, RollingLink}
PairSettings == {PlainLink, TwoUses, UnlimitedLink}

(* Constraints that leave out states, to keep TLC fast. *)

\* A failed read has the same effect as a later read, so only writes fail.
Writes == {"redeem: write", "cancel: write", "move: write", "revoke: write", "change: write",
           "replace: write", "renew: write"}

\* Every condition compares the clock with one of these, so after the last one the clock need not
\* advance.
Deadlines ==
    UNION {{links[link].opens, links[link].expires} : link \in DOMAIN links}
    \cup {receipt.end : receipt \in receipts}
TickIsUseful == \E moment \in Deadlines \ {None} : clock < moment

\* In the small and the large bounds, each link gets the calls listed in VerbsFor. The clock advances
\* only for a link that opens and expires, and by one for a link that can be restored, so that a keyless
\* receipt ends.
VerbsFor(link) ==
    CASE link.rolling -> {"redeem", "renew", "replace", "delete"}
      [] link.expires # None -> {"redeem", "cancel", "revoke", "replace"}
      [] link.max = Unlimited -> {"redeem", "move"}
      [] link.after = 2 -> {"redeem", "cancel", "move", "change"}
      [] OTHER -> {"redeem", "cancel", "revoke", "delete", "replace"}

RequestsFor(link) ==
    CASE link.rolling \/ link.expires # None -> {AnnKeyed}
      [] link.max = Unlimited -> {AnnKeyed, Bob}
      [] link.after = 2 -> AllRequests
      [] OTHER -> {AnnKeyed, Ann}

IsRestorableSetting(link) == link.restorable /\ link.expires = None /\ link.after = 1

\* DynamoDB answers in two parts for the rolling link, and for a link that can be restored if the
\* receipt comes first and Ann has no key.
IsSmall(k) ==
    /\ Len(links) >= Generated
    /\ k.verb \in VerbsFor(links[1])
    /\ k.verb = "redeem" => k.request \in RequestsFor(links[1])
    /\ k.first # None =>
        \/ links[1].rolling
        \/ IsRestorableSetting(links[1]) /\ k.first = "receipt" /\ k.request = Ann

BegunCalls == {call'[w] : w \in {one \in Workers : call[one].pc = "idle" /\ call'[one].pc # "idle"}}
IsPurge == \E link \in DOMAIN links : links[link].status # "deleted" /\ links'[link].status = "deleted"

AnyAt(pcs) == \E w \in Workers : call[w].pc \in pcs

\* TTL deletes only a link that expires, and only while a call is about to write.
SmallStep ==
    /\ \A k \in BegunCalls : IsSmall(k)
    /\ clock' # clock =>
        TickIsUseful /\ (links[1].expires = None => IsRestorableSetting(links[1]) /\ clock = 0)
    /\ IsPurge /\ call' = call => links[1].expires # None /\ AnyAt(Writes)

\* To count the actions, fewer steps suffice: the link comes first, and the clock advances and TTL deletes
\* only before the second call.
CoverageStep ==
    /\ SmallStep
    /\ \A k \in BegunCalls : k.first # "receipt"
    /\ clock' # clock \/ (IsPurge /\ call' = call) => begun < 2

\* In the wide bounds, any two calls run at the same time, on any link, at clock 0, 1 or 2. Responses in
\* two parts occur only for Ann's requests, and TTL deletes only while a call is about to write.
WideStep ==
    /\ begun' # begun => Len(links) >= Generated
    /\ clock' # clock => TickIsUseful
    /\ \A k \in BegunCalls : k.first # None => k.request \in {AnnKeyed, Ann}
    /\ IsPurge /\ call' = call => AnyAt(Writes)

\* In the bounds with a pair of links, the clock stays at 0 and DynamoDB answers as a whole.
PairStep ==
    /\ begun' # begun => Len(links) >= Generated
    /\ clock' = clock
    /\ \A k \in BegunCalls : k.first = None

\* A redeem before the first call, as one step.
EarlierRedeem ==
    /\ Len(bookings) < EarlierRedeems /\ begun = 0
    /\ \E link \in DOMAIN links, request \in {AnnKeyed, Ann} :
        LET k == [NewRedeem(link, request) EXCEPT !.seenLink = links[link], !.now = clock] IN
        /\ RefusalAt(links[link], clock) = None /\ RedeemMayCommit(k)
        /\ RedeemWrites(k) /\ NoCall

BoundedSpec == Init /\ [][EarlierRedeem \/ Next]_vars
=============================================================================
