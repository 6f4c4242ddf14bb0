------------------------------- MODULE Bounds -------------------------------
(* Who asks for what, and within which bounds.  The .cfg files choose from this. *)
EXTENDS AdmitOne, TLC

CONSTANTS
    w1, w2, w3,
    Earlier         \* how many redeems came before the calls of interest

TwoWorkers == {w1, w2}
ThreeWorkers == {w1, w2, w3}

\* Workers differ in nothing but their name, and nothing in the table names one.
Symmetry == Permutations(Workers)

AllVerbs == {"redeem", "cancel", "move", "revoke", "delete", "change", "replace", "renew",
             "expire", "purge"}

Ask(caller, key, start, name) ==
    [caller |-> caller, key |-> key, start |-> start, email |-> "ann", name |-> name]

\* Ann books with a key and without one.  Bob asks for a later time, with which a moved booking of
\* Ann's overlaps.  Eve has the link and guesses the rest: the start and the address, or all of it.
AnnKeyed == Ask("ann", "k1", 1, "Ann")
AnnOther == Ask("ann", "k1", 2, "Ann")
Ann == Ask("ann", None, 1, "Ann")
Bob == [Ask("bob", None, 3, "Bob") EXCEPT !.email = "bob"]
EveGuess == Ask("eve", None, 1, "Eve")
Eve == Ask("eve", None, 1, "Ann")
AllRequests == {AnnKeyed, AnnOther, Ann, Bob, EveGuess, Eve}

Plain == [max |-> 1, opens |-> None, expires |-> None, restore |-> FALSE, rolling |-> FALSE,
          before |-> 0, after |-> 1]
Restoring == [Plain EXCEPT !.restore = TRUE]
Twice == [Restoring EXCEPT !.max = 2, !.after = 2]
Timed == [Plain EXCEPT !.opens = 1, !.expires = 2, !.restore = TRUE]
Free == [Plain EXCEPT !.max = Unlimited, !.before = 1]
Rolling == [Plain EXCEPT !.rolling = TRUE]

SmallSettings == {Restoring, Twice, Timed, Rolling}
AllSettings == SmallSettings \cup {Plain, Free}

(* Fewer states. *)

\* Starting again after a failed read is the same as reading later, so only failed writes matter.
Writes == {"redeem: write", "cancel: write", "move: write", "revoke: write", "change: write",
           "replace: write", "renew: write"}

\* The clock advances only if that can still change an outcome: every condition compares it with one of these.
Deadlines ==
    UNION {{links[link].opens, links[link].expires} : link \in DOMAIN links}
    \cup {receipt.end : receipt \in receipts}
TickIsUseful == \E moment \in Deadlines \ {None} : clock < moment

\* In the small and the large bounds, each kind of link meets the calls that treat it differently, and time
\* passes only where a link opens and expires, or once, for the receipts without a key.
VerbsFor(link) ==
    CASE link.rolling -> {"redeem", "renew", "replace"}
      [] link.expires # None -> {"redeem", "cancel", "revoke", "replace"}
      [] link.after = 2 -> {"redeem", "cancel", "move", "change"}
      [] OTHER -> {"redeem", "cancel", "revoke", "delete", "replace"}

RequestsFor(link) ==
    CASE link.rolling \/ link.expires # None -> {AnnKeyed}
      [] link.after = 2 -> AllRequests
      [] OTHER -> {AnnKeyed, Ann}

IsPlain(link) == ~link.rolling /\ link.expires = None /\ link.after = 1

IsSmall(k) ==
    /\ Len(links) >= Generated
    /\ k.verb \in VerbsFor(links[1])
    /\ k.verb = "redeem" => k.request \in RequestsFor(links[1])
    /\ k.isPartial => links[1].rolling

BegunCalls == {call'[w] : w \in {one \in Workers : call[one].pc = "idle" /\ call'[one].pc # "idle"}}
IsPurge == \E link \in DOMAIN links : links[link].status # "deleted" /\ links'[link].status = "deleted"

AnyAt(pcs) == \E w \in Workers : call[w].pc \in pcs

SmallStep ==
    /\ \A k \in BegunCalls : IsSmall(k)
    /\ clock' # clock => TickIsUseful /\ (links[1].expires = None => IsPlain(links[1]) /\ clock = 0)
    /\ IsPurge /\ call' = call => IsPlain(links[1]) /\ AnyAt(Writes)

\* In the wide bounds, any two calls meet, on any kind of link, at any of the three instants.
WideStep ==
    /\ begun' # begun => Len(links) >= Generated
    /\ clock' # clock => TickIsUseful
    /\ \A k \in BegunCalls : k.isPartial => k.request \in {AnnKeyed, Ann}
    /\ IsPurge /\ call' = call => AnyAt(Writes)

\* An earlier redeem ran without interruption.
EarlierRedeem ==
    /\ Len(bookings) < Earlier /\ begun = 0
    /\ \E link \in DOMAIN links, request \in {AnnKeyed, Ann} :
        LET k == [NewRedeem(link, request) EXCEPT !.seenLink = links[link], !.now = clock] IN
        /\ RefusalAt(links[link], clock) = None /\ RedeemMayCommit(k)
        /\ RedeemWrites(k) /\ NoCall

BoundedSpec == Init /\ [][EarlierRedeem \/ Next]_vars
=============================================================================
