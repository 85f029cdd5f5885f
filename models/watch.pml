/*
 * Joining a watch: a writer makes versions 2 to 4 of a task while somebody watches it through a gateway that dies twice.
 *
 * The gateway has one tailer, which deals out what is new since it last looked, and for each watch a bounded buffer.
 * Bells wake the tailer and get lost. The caller may read as slowly as it likes; what is on its way to it is lost when
 * the gateway dies, and it comes back with the last version that it has.
 *
 * Proved     The caller gets 1, 2, 3, 4: each once, in order, without a gap, and all of them.
 *
 * Without one of these mechanisms, that breaks:
 *
 * READ_BEFORE_LISTENING   liveness  the table is read first, and the tailer listened to afterwards
 * DROP_ON_OVERFLOW        liveness  what does not fit into the buffer is dropped, and nothing is read again
 * NO_DOUBLE_CHECK         safety    what the tailer deals is sent even where the table had it already
 * RESUME_WHERE_SENT       safety    a new gateway goes on where the old one was, and not where the caller is
 * NO_TIMER                liveness  the tailer looks only when the bell rings
 *
 * Whatever the tailer deals that is not the next version is preceded by reading the missing ones. Here that is a second
 * net, since what overflows is read anyway; without either the caller sees a gap.
 *
 * NO_GAP_FILL                   holds     what the tailer deals is sent as it comes
 * DROP_ON_OVERFLOW+NO_GAP_FILL  safety    and what does not fit is dropped
 */

#define VERSIONS 4
#define DEATHS_MAX 2

/* The table: versions 1 to `committed` of the task. */
byte committed = 1;
bool bell = false;

/* The gateway. */
byte tailed = 1;
bool is_listening = false;
bool has_overflowed = false;
chan buffer = [1] of { byte };
chan stream = [1] of { byte };
byte sent = 0;
byte deaths = 0;

/* The caller. */
byte got = 0;

active proctype Writer() {
    do
    :: committed < VERSIONS ->
        committed++;
        printf("version %d is committed\n", committed);
        if
        :: bell = true
        :: printf("  and the bell is lost\n")
        fi
    :: else -> break
    od
}

inline deal() {
    do
    :: tailed < committed ->
        tailed++;
        if
        :: is_listening && len(buffer) == 0 -> buffer!tailed
        :: is_listening && len(buffer) != 0 -> has_overflowed = true; printf("the buffer is full\n")
        :: else
        fi
    :: else -> break
    od;
    bell = false
}

active proctype Tailer() {
    do
    :: got == VERSIONS -> break
#ifdef NO_TIMER
    :: atomic { bell -> deal() }
#else
    /* A read returns what was committed up to one moment, in order. */
    :: atomic { tailed < committed -> deal() }
#endif
    od
}

inline forget_buffer() {
    do
    :: len(buffer) != 0 -> buffer?_
    :: else -> break
    od;
    has_overflowed = false
}

active proctype Watch() {
    byte upto = 0;
    byte version;
    do
    :: got == VERSIONS -> break
    :: else ->
        /* A stream begins behind what the caller has. */
#ifndef RESUME_WHERE_SENT
        sent = got;
#endif
        forget_buffer();
#ifdef READ_BEFORE_LISTENING
        upto = committed;
        is_listening = true;
#else
        is_listening = true;
        upto = committed;
#endif
        do
        :: sent < upto -> stream!(sent + 1); sent++
        :: atomic { sent >= upto && has_overflowed ->
            forget_buffer();
#ifndef DROP_ON_OVERFLOW
            /* Read after forgetting: whatever is committed from now on comes again. */
            printf("catch up from the table\n");
            upto = committed
#endif
           }
        :: sent >= upto && !has_overflowed && len(buffer) != 0 ->
            buffer?version;
            if
#ifndef NO_DOUBLE_CHECK
            :: version <= sent -> skip
#endif
#ifdef NO_GAP_FILL
            :: else -> stream!version; sent = version
#else
            :: version > sent -> upto = version
#ifdef NO_DOUBLE_CHECK
            :: else -> stream!version
#endif
#endif
            fi
        :: got == VERSIONS -> break
        :: atomic { deaths < DEATHS_MAX ->
            deaths++;
            printf("the gateway dies\n");
            is_listening = false;
            do
            :: len(stream) != 0 -> stream?_
            :: else -> break
            od;
            /* The tailer of another gateway begins with what is new from now on. */
            tailed = committed;
            bell = false
           } -> break
        od
    od
}

active proctype Caller() {
    byte version;
    do
    :: got == VERSIONS -> break
    :: atomic { stream?version -> printf("the caller gets version %d\n", version); assert(version == got + 1); got = version }
    od
}

ltl caller_gets_all { <> (got == VERSIONS) }
