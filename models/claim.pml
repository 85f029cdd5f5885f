/*
 * Claim, lease, fence: one task, two processors that crash, stand still for any time, and lose answers.
 *
 * Every `atomic` that touches the row is one statement of the store. A lease may pass at any moment; how long moments
 * are does not matter, so there are no clocks here. What a processor believes is in its locals, and between two of its
 * steps anything may happen to the row. Faults are finitely many, except for a handler that takes its processor down
 * each time.
 *
 * Proved     An outcome is accepted only from the attempt that holds the task at that moment. A task ends once. No
 *            attempt starts once a cancel was asked for, and none beyond the allowed ones. Every task ends.
 *
 * Without one of these mechanisms, that breaks:
 *
 * NO_FENCE          safety    whatever is running is completed, whoever has claimed it since
 * NO_TAKE_BACK      liveness  nobody takes tasks back from the dead
 * NO_HAND_BACK      liveness  nobody gives back a task whose claim had no answer
 * COUNT_AT_THE_END  liveness  an attempt counts when it has ended, and not when it begins
 * FORGET_CANCEL     safety    taking back does not look whether a cancel was asked for
 */

#define PROCESSORS 2
#define NOBODY PROCESSORS
#define ATTEMPTS_MAX 3
#define FAULTS_MAX 3
/* The numbers of attempts begin anew after this; there are so many only in a counterexample. */
#define ATTEMPTS_NUMBERED 8

mtype = { PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED };

/* The row, and the leases. A processor that has lost its lease takes a new id, so what it held is held by NOBODY. */
mtype state = PENDING;
byte attempt = 0;
byte counted = 0;
byte holder = NOBODY;
bool cancel_requested = false;
bool lease[PROCESSORS + 1] = false;

byte faults = 0;
bool is_poison = false;
byte ends = 0;

inline end_as(final) {
    state = final;
    ends++;
    assert(ends == 1)
}

/* What is not a success: a retry, a hand-back, a take-back. */
inline back_or_end() {
    if
#ifndef FORGET_CANCEL
    :: cancel_requested -> end_as(CANCELLED)
    :: else ->
#else
    :: true ->
#endif
        if
        :: counted >= ATTEMPTS_MAX -> end_as(FAILED)
        :: else -> state = PENDING
        fi
    fi;
    holder = NOBODY
}

#ifdef NO_FENCE
#define STILL_MINE (state == RUNNING)
#else
#define STILL_MINE (state == RUNNING && attempt == mine)
#endif

inline lose_lease(who) {
    lease[who] = false;
    if
    :: holder == who -> holder = NOBODY
    :: else
    fi
}

active [PROCESSORS] proctype Processor() {
    byte me = _pid;
    byte mine = 0;
    bool holds = false;
    do
    :: ends > 0 -> break
    :: atomic { !lease[me] && !holds && ends == 0 -> lease[me] = true }
    :: atomic {
        lease[me] && !holds && state == PENDING ->
        assert(!cancel_requested && counted < ATTEMPTS_MAX);
        state = RUNNING; holder = me; attempt = attempt % ATTEMPTS_NUMBERED + 1; mine = attempt;
#ifndef COUNT_AT_THE_END
        counted++;
#endif
        assert(attempt < ATTEMPTS_NUMBERED || is_poison);
        printf("processor %d claims attempt %d\n", me, mine);
        if
        :: holds = true
        :: faults < FAULTS_MAX -> faults++; printf("  and its answer is lost\n")
        fi
       }
#ifndef NO_HAND_BACK
    /* With each renewal: what the row says is mine and I do not know of. It never began, so it does not count. */
    :: atomic {
        lease[me] && !holds && state == RUNNING && holder == me ->
        counted--; back_or_end();
        printf("processor %d gives back what it does not know\n", me)
       }
#endif
    :: atomic {
        holds && !is_poison ->
        if
        :: STILL_MINE ->
            assert(attempt == mine);
            if
            :: printf("attempt %d of processor %d succeeds\n", mine, me) -> end_as(SUCCEEDED)
            :: printf("attempt %d of processor %d fails\n", mine, me) -> back_or_end()
            fi
        :: else -> printf("attempt %d of processor %d comes too late\n", mine, me)
        fi;
        if
        :: holds = false
        :: faults < FAULTS_MAX -> faults++; printf("  and the answer is lost: it will be sent again\n")
        fi
       }
    :: atomic {
        holds && is_poison ->
        printf("attempt %d takes processor %d down\n", mine, me);
        holds = false; lose_lease(me)
       }
    :: atomic { holds && faults < FAULTS_MAX -> faults++; holds = false; lose_lease(me); printf("processor %d dies\n", me) }
    /* It finds out that its lease has passed, stops its handlers, and goes on under a new id; perhaps late. */
    :: atomic { holds && !lease[me] -> holds = false }
    od
}

active proctype Time() {
    do
    :: atomic { faults < FAULTS_MAX && lease[0] -> faults++; lose_lease(0); printf("the lease of processor 0 passes\n") }
    :: atomic { faults < FAULTS_MAX && lease[1] -> faults++; lose_lease(1); printf("the lease of processor 1 passes\n") }
    :: break
    od
}

active proctype Sweeper() {
    do
    :: ends > 0 -> break
#ifndef NO_TAKE_BACK
    :: atomic { state == RUNNING && !lease[holder] -> printf("the task is taken back\n"); back_or_end() }
#endif
    od
}

active proctype Caller() {
    if
    :: atomic { state == PENDING -> cancel_requested = true; end_as(CANCELLED) }
    :: atomic { state == RUNNING -> cancel_requested = true; printf("a cancel is asked for\n") }
    :: skip
    fi
}

active proctype Handler() {
    if
    :: is_poison = true
    :: skip
    fi
}

ltl every_task_ends { <> (ends > 0) }
