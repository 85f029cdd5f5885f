/*
 * The position of a reader of the feed: three transactions begin in order, commit in any order, and one may be left open
 * for ever. The second and the third change the same task: whoever locks its row first makes version 1.
 *
 * The position is a snapshot: everything below `xmax` was seen, except what was open then. What is new is what is
 * committed now and was not seen by it. A read returns its rows in the order of their sequence, which is drawn under
 * the lock.
 *
 * Proved     Every committed event is read once, the versions of a task in order, and nobody's open transaction holds
 *            up the events of others.
 *
 * With another position, or in another order, that breaks:
 *
 * SEQUENCE_AS_POSITION  liveness  everything above the highest sequence that was read
 * XID_AS_POSITION       liveness  everything above the highest transaction that was read
 * HORIZON_AS_POSITION   liveness  everything below the oldest open transaction that was not read before
 * ORDER_BY_XID          safety    a read returns its rows in the order of their transactions
 */

#define WRITERS 3

byte next_xid = 1;
byte next_seq = 1;
byte xid[WRITERS] = 0;
byte seq[WRITERS] = 0;
byte version[WRITERS] = 0;
bool committed[WRITERS] = false;

/* The task of the second and the third. */
bool is_locked = false;
byte versions = 0;

/* The reader. */
byte xmax = 1;
bool was_open[WRITERS] = false;
bool got[WRITERS] = false;
byte newest = 0;
byte last_version = 0;

#define has_begun(i) (xid[i] != 0)
#define is_open(i) (xid[i] != 0 && !committed[i])

active proctype Stranger() {
    atomic { xid[0] = next_xid; next_xid++ };
    atomic { seq[0] = next_seq; next_seq++ };
    if
    :: committed[0] = true; printf("the transaction of the stranger is committed\n")
    :: printf("the transaction of the stranger is left open\n")
    fi
}

inline write(i) {
    atomic { xid[i] = next_xid; next_xid++; printf("writer %d begins transaction %d\n", i, xid[i]) };
    atomic { !is_locked -> is_locked = true; printf("writer %d has the row\n", i) };
    atomic { seq[i] = next_seq; next_seq++; versions++; version[i] = versions };
    atomic { committed[i] = true; is_locked = false; printf("writer %d commits version %d\n", i, version[i]) }
}

active proctype Writer1() { write(1) }
active proctype Writer2() { write(2) }

#if defined(SEQUENCE_AS_POSITION)
#define is_new(i) (committed[i] && seq[i] > newest)
#elif defined(XID_AS_POSITION)
#define is_new(i) (committed[i] && xid[i] > newest)
#elif defined(HORIZON_AS_POSITION)
/* `newest` is the horizon of the last read. */
#define is_new(i) (committed[i] && xid[i] >= newest && xid[i] < horizon)
#else
#define is_new(i) (committed[i] && (xid[i] >= xmax || was_open[i]))
#endif

#ifdef ORDER_BY_XID
#define place(i) xid[i]
#else
#define place(i) seq[i]
#endif

inline take(i) {
    if
    :: is_fresh[i] && place(i) == at ->
        assert(!got[i]);
        got[i] = true;
        printf("the reader gets the event of writer %d\n", i);
        if
        :: version[i] != 0 -> assert(version[i] == last_version + 1); last_version = version[i]
        :: else
        fi
    :: else
    fi
}

inline move_on(i) {
    was_open[i] = is_open(i);
#if defined(SEQUENCE_AS_POSITION)
    newest = (is_fresh[i] && seq[i] > newest -> seq[i] : newest)
#elif defined(XID_AS_POSITION)
    newest = (is_fresh[i] && xid[i] > newest -> xid[i] : newest)
#endif
}

active proctype Reader() {
    byte at;
    byte horizon;
    bool is_fresh[WRITERS] = false;
end:
    do
    :: (is_new(0) || is_new(1) || is_new(2)
#ifdef HORIZON_AS_POSITION
        || committed[0] || committed[1] || committed[2]
#endif
        ) ->
        d_step {
            horizon = next_xid;
            horizon = (is_open(2) && xid[2] < horizon -> xid[2] : horizon);
            horizon = (is_open(1) && xid[1] < horizon -> xid[1] : horizon);
            horizon = (is_open(0) && xid[0] < horizon -> xid[0] : horizon);
            is_fresh[0] = is_new(0);
            is_fresh[1] = is_new(1);
            is_fresh[2] = is_new(2);
            at = 1;
            do
            :: at <= WRITERS -> take(0); take(1); take(2); at++
            :: else -> break
            od;
            move_on(0); move_on(1); move_on(2);
#ifdef HORIZON_AS_POSITION
            newest = horizon;
#endif
            xmax = next_xid;
            at = 0
        }
    od
}

ltl committed_is_read {
    ([] (committed[0] -> <> got[0])) && ([] (committed[1] -> <> got[1])) && ([] (committed[2] -> <> got[2]))
}
