/*
 * Rings, slow claim, sweeper: two tasks, one of them for later; a gateway that dies between commit and ring, a broker
 * that loses and repeats whatever it likes, two processors with one slot each that die at any moment.
 *
 * Proved     Every committed task is run to its end, and never by two processors at once: whatever becomes of the
 *            rings.
 *
 * Without one of these mechanisms, that breaks:
 *
 * NO_SLOW_CLAIM                                 liveness  a processor with room takes only what was rung
 * NO_SWEEPER                                    liveness  nobody starts what is due, or takes back from the dead
 * CLAIM_WHATEVER_RINGS                          safety    a claim does not look whether the task waits
 * CAREFUL+NO_SLOW_CLAIM+ACK_BEFORE_CLAIM        liveness  rings are acknowledged before the claim
 * CAREFUL+NO_SLOW_CLAIM+RING_BEFORE_COMMIT      liveness  it is rung before there is anything to claim
 *
 * Rings are there for speed. With the slow claim it does not matter what is done to them, and without it everything
 * does (CAREFUL: no ring is lost, and gateways do not die):
 *
 * ACK_BEFORE_CLAIM                              holds     rings are acknowledged before the claim
 * RING_BEFORE_COMMIT                            holds     it is rung before there is anything to claim
 * NO_RINGS                                      holds     nobody rings at all
 * CAREFUL+NO_SLOW_CLAIM                         holds     no ring is lost, so nothing is looked for
 */

#define TASKS 2
#define PROCESSORS 2
#define NONE TASKS
#define FAULTS_MAX 3

mtype = { ABSENT, SCHEDULED, PENDING, RUNNING, DONE };

/* The rows. A lost one runs under a processor that has died. */
mtype state[TASKS] = ABSENT;
bool is_lost[TASKS] = false;

/* The rings that wait at the broker. A second one for the same task is a repetition. */
bool ringing[TASKS] = false;

byte runs[TASKS] = 0;
byte faults = 0;

#define all_done (state[0] == DONE && state[1] == DONE)

inline ring(task) {
#ifdef NO_RINGS
    skip
#else
    if
    :: ringing[task] = true
#ifndef CAREFUL
    :: printf("whoever should ring for task %d dies before\n", task)
#endif
    fi
#endif
}

active proctype Gateway() {
#ifdef RING_BEFORE_COMMIT
    ring(0);
    state[0] = PENDING;
#else
    state[0] = PENDING;
    printf("task 0 is committed\n");
    ring(0);
#endif
    state[1] = SCHEDULED;
    printf("task 1 is committed, for later\n")
}

active proctype Broker() {
    do
    :: all_done -> break
#ifndef CAREFUL
    :: atomic { faults < FAULTS_MAX -> faults++; ringing[0] = false; printf("rings for task 0 are lost\n") }
    :: atomic { faults < FAULTS_MAX -> faults++; ringing[1] = false; printf("rings for task 1 are lost\n") }
#endif
    :: atomic { faults < FAULTS_MAX && state[0] != ABSENT -> faults++; ringing[0] = true; printf("a ring is repeated\n") }
    :: atomic { faults < FAULTS_MAX && state[1] != ABSENT -> faults++; ringing[1] = true; printf("a ring is repeated\n") }
    od
}

active proctype Sweeper() {
    do
    :: all_done -> break
#ifndef NO_SWEEPER
    :: state[1] == SCHEDULED -> state[1] = PENDING; printf("task 1 is due\n"); ring(1)
    :: atomic { is_lost[0] -> is_lost[0] = false; state[0] = PENDING; printf("task 0 is taken back\n") }; ring(0)
    :: atomic { is_lost[1] -> is_lost[1] = false; state[1] = PENDING; printf("task 1 is taken back\n") }; ring(1)
#endif
    od
}

inline start(task) {
    assert(runs[task] == 0);
    state[task] = RUNNING;
    runs[task]++;
    mine = task;
    printf("processor %d claims task %d\n", _pid, task)
}

inline hear(task) {
    ringing[task] = false;
    heard = task;
    printf("processor %d hears the ring for task %d\n", _pid, task)
}

inline claim_heard() {
    if
#ifdef CLAIM_WHATEVER_RINGS
    :: state[heard] != ABSENT -> start(heard)
#else
    :: state[heard] == PENDING -> start(heard)
#endif
    :: else -> printf("  and finds nothing to claim\n")
    fi
}

active [PROCESSORS] proctype Processor() {
    byte mine = NONE;
    byte heard = NONE;
    byte unacknowledged = NONE;
    do
    :: all_done -> break
    :: atomic { mine == NONE && heard == NONE && unacknowledged == NONE && ringing[0] -> hear(0); unacknowledged = 0 }
    :: atomic { mine == NONE && heard == NONE && unacknowledged == NONE && ringing[1] -> hear(1); unacknowledged = 1 }
#ifdef ACK_BEFORE_CLAIM
    :: atomic { heard != NONE && unacknowledged != NONE -> unacknowledged = NONE }
    :: atomic { heard != NONE && unacknowledged == NONE -> claim_heard(); heard = NONE }
#else
    :: atomic { heard != NONE -> claim_heard(); heard = NONE }
    :: atomic { heard == NONE && unacknowledged != NONE -> unacknowledged = NONE }
#endif
#ifndef NO_SLOW_CLAIM
    :: atomic { mine == NONE && heard == NONE && state[0] == PENDING -> start(0) }
    :: atomic { mine == NONE && heard == NONE && state[1] == PENDING -> start(1) }
#endif
    :: atomic { mine != NONE -> state[mine] = DONE; runs[mine]--; mine = NONE }
    :: atomic {
        faults < FAULTS_MAX && (mine != NONE || heard != NONE || unacknowledged != NONE) ->
        faults++;
        printf("processor %d dies\n", _pid);
        if
        :: mine != NONE -> is_lost[mine] = true; runs[mine]--; mine = NONE
        :: else
        fi;
        /* What was not acknowledged comes again. */
        if
        :: unacknowledged != NONE -> ringing[unacknowledged] = true; unacknowledged = NONE
        :: else
        fi;
        heard = NONE
       }
    od
}

ltl every_task_is_run { <> all_done }
