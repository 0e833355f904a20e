/* How a message reaches a session: one ordered stream each way between the registry that owns the
 * device and the connector that holds its session (docs/decisions/one_road.md).
 *
 * What is modelled: appends of two priorities, a window of WINDOW messages, a gate that holds NORMAL
 * back while the device is IDLE, pulls by priority, hand-overs, a bounded stream that falls back to
 * one "pull" mark, a stream that breaks, an owner that is replaced and wakes up again, and a recall.
 *
 * What is checked, over all interleavings:
 *   order, no repetition   the session sends the messages of one priority in growing order
 *   no recalled message    what was answered RECALLED was not sent and never is, and what the device
 *                          was told to forget is not sent afterwards
 *   no loss                when nothing can happen any more and the gate is open, every message that
 *                          waits was sent
 *
 * Each fault below is a broken rule. tests/models/models_test.sh sees that spin finds every one.
 *   FLAG_CLEARED_BY_PULL   a priority stops being behind when its pull is sent, not when a page
 *                          reached the end of the mailbox
 *   REOPENING_UNNOTICED    a gate closes and opens again while a pull is on its way, and the page
 *                          that was read before counts
 *   HAND_OVER_PASSES_MARK  hand-overs go on while a mark waits for room
 *   EPOCH_IGNORED          the session takes what a replaced owner still says
 *   BREAK_UNNOTICED        a session that binds, again or for the first time, is not behind
 *   HANDED_FORGOTTEN       a new owner does not know what its predecessor may have handed out
 */

#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef WINDOW
#define WINDOW 1
#endif
/* Items on the stream to the connector, beyond which hand-overs become a mark. */
#define STREAM 2

#define HIGH 0
#define NORMAL 1

#define BIT(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)

mtype = { PAGE, HAND, MARK, RECALL, PULL, ACK, WANT, BIND };

/* kind, epoch, priority, messages as a set of seqs, more */
chan down = [STREAM + 1] of { mtype, byte, byte, byte, bit };
/* kind, epoch that it is meant for, priority or set of priorities, seq */
chan up = [4] of { mtype, byte, byte, byte };

/* --- The world. --- */
byte appended = 0;    /* seqs 1 … appended exist */
byte prio[MESSAGES + 1];
byte recalled = 0;    /* answered RECALLED, or the session has told the device */
bool breaks_left = true;
bool takeover_left = true;
bool recall_left = true;
byte toggles_left = 2;

/* --- The owner. Durable: waiting, handed, epoch. The rest dies with it. --- */
byte waiting = 0;     /* in the mailbox */
byte handed = 0;      /* may have been handed out */
byte epoch = 1;
bool bound = false;
byte wanted = 0;      /* priorities that the session wants now */
bool mark = false;    /* a mark waits for room */
/* What a replaced owner had committed and not written to its stream yet. */
byte zombie = 0;

/* --- The session. --- */
byte my_epoch = 0;    /* of its Bind's answer */
bool binding = false;
bool awake = true;   /* the device; IDLE holds NORMAL back */
byte cursor[2];
bool behind[2];
bool pulling[2];
bool again[2];        /* the page that is on its way may have been read too early */
byte in_flight = 0;   /* sent and not acknowledged: a set */
byte n_in_flight = 0;
byte sent = 0;        /* a set */
byte unconfirmed = 0; /* acknowledged by the device, the owner not told yet */

#define OPEN(p) ((p) == HIGH || awake)

#ifdef BREAK_UNNOTICED
#define NOT_KNOWN skip
#else
#define NOT_KNOWN behind[HIGH] = true; behind[NORMAL] = true
#endif

#ifdef REOPENING_UNNOTICED
#define REOPENED skip
#else
#define REOPENED again[NORMAL] = pulling[NORMAL]
#endif

#ifdef EPOCH_IGNORED
#define CURRENT (my_epoch > 0)
#else
#define CURRENT (of_epoch == my_epoch)
#endif

inline send_message(i) {
  /* Order, and no repetition. */
  assert(i > cursor[prio[i]]);
  assert(!HAS(recalled, i));
  cursor[prio[i]] = i;
  in_flight = in_flight | BIT(i);
  n_in_flight++;
  sent = sent | BIT(i);
}

inline forget_stream() {
  do
  :: nempty(down) -> down?_, _, _, _, _
  :: nempty(up) -> up?_, _, _, _
  :: empty(down) && empty(up) -> break
  od;
  pulling[HIGH] = false; pulling[NORMAL] = false; again[HIGH] = false; again[NORMAL] = false;
  binding = false
}

/* The owner: what it does with a request, and with what it owes the stream. */
proctype Owner() {
  mtype kind; byte for_epoch, p, i, page, n;
end:
  do
  :: atomic { nempty(up) && nfull(down) ->
       up?kind, for_epoch, p, i;
       if
       :: kind == BIND ->
            bound = true; wanted = p; mark = false;
            down!PAGE, epoch, 2, 0, 1
       :: kind == WANT && bound && for_epoch == epoch -> wanted = p
       :: kind == ACK && for_epoch == epoch -> waiting = waiting & ~BIT(i)
       :: kind == PULL && bound && for_epoch == epoch ->
            /* The messages of this priority after the position: as many as a window takes. */
            page = 0; n = 0; i++;
            do
            :: i > appended -> break
            :: i <= appended && HAS(waiting, i) && prio[i] == p && n < WINDOW ->
                 page = page | BIT(i); handed = handed | BIT(i); n++; i++
            :: i <= appended && HAS(waiting, i) && prio[i] == p && n >= WINDOW -> break
            :: i <= appended && !(HAS(waiting, i) && prio[i] == p) -> i++
            od;
            down!PAGE, epoch, p, page, (i <= appended)
       :: else -> skip
       fi; kind = BIND; for_epoch = 0; p = 0; i = 0; page = 0; n = 0 }
  :: atomic { mark && len(down) < STREAM -> mark = false; down!MARK, epoch, 0, 0, 0 }
  od
}

inline append(p) {
  appended++;
  prio[appended] = p;
  waiting = waiting | BIT(appended);
  if
  :: bound && HAS(wanted, p) ->
       handed = handed | BIT(appended);
#ifdef HAND_OVER_PASSES_MARK
       if
       :: len(down) < STREAM -> down!HAND, epoch, p, BIT(appended), 0
       :: else -> mark = true
       fi
#else
       if
       :: !mark && len(down) < STREAM -> down!HAND, epoch, p, BIT(appended), 0
       :: else -> mark = true
       fi
#endif
  :: else -> skip
  fi
}

proctype World() {
  byte i;
end:
  do
  :: atomic { appended < MESSAGES -> append(HIGH) }
  :: atomic { appended < MESSAGES -> append(NORMAL) }
  :: atomic { toggles_left > 0 && my_epoch > 0 && nfull(up) ->
       toggles_left--;
       awake = !awake;
       /* What was not wanted was not handed over: it has to be looked for. */
       if
       :: awake -> behind[NORMAL] = true; REOPENED
       :: else -> skip
       fi;
       up!WANT, my_epoch, (awake -> 3 : 1), 0 }
  :: atomic { breaks_left ->
       breaks_left = false;
       forget_stream();
       bound = false; mark = false;
       my_epoch = 0 }
  :: atomic { takeover_left ->
       takeover_left = false;
       /* The old owner sleeps with hand-overs that it has not written yet. The session's stream to
          it breaks, and the items that it did write may still come. */
       zombie = handed & waiting;
       epoch++;
       bound = false; mark = false;
       do
       :: nempty(up) -> up?_, _, _, _
       :: empty(up) -> break
       od;
       pulling[HIGH] = false; pulling[NORMAL] = false; binding = false;
       again[HIGH] = false; again[NORMAL] = false;
       my_epoch = 0;
#ifdef HANDED_FORGOTTEN
       handed = 0;
#endif
     }
  :: atomic { zombie != 0 && nfull(down) && my_epoch == epoch ->
       /* It wakes up, and writes one of them. Its Bind's answers are of no use to anybody. */
       i = 1;
       do
       :: HAS(zombie, i) -> break
       :: else -> i++
       od;
       zombie = zombie & ~BIT(i);
       down!HAND, epoch - 1, prio[i], BIT(i), 0; i = 0 }
  :: atomic { recall_left && appended > 0 ->
       recall_left = false;
       if
       :: i = 1
       :: appended > 1 -> i = 2
       fi;
       if
       :: HAS(waiting, i) && !HAS(handed, i) ->
            /* It can't have reached the device, says the answer. */
            assert(!HAS(sent, i));
            waiting = waiting & ~BIT(i); recalled = recalled | BIT(i)
       :: HAS(waiting, i) && HAS(handed, i) && bound && !mark && len(down) < STREAM ->
            /* The device is asked. */
            waiting = waiting & ~BIT(i);
            down!RECALL, epoch, 0, BIT(i), 0
       :: else -> skip
       fi; i = 0 }
  od
}

proctype Session() {
  mtype kind; byte of_epoch, p, page, i; bit more;
end:
  do
  :: atomic { my_epoch == 0 && !binding && nfull(up) ->
       binding = true; up!BIND, 0, (awake -> 3 : 1), 0 }
  :: atomic { nempty(down) ->
       down?kind, of_epoch, p, page, more;
       if
       :: kind == PAGE && p == 2 ->
            if
            :: binding && of_epoch == epoch ->
                 binding = false; my_epoch = of_epoch;
                 NOT_KNOWN
            :: else -> skip
            fi
       :: kind == RECALL && CURRENT -> recalled = recalled | page
       :: kind == MARK && CURRENT -> behind[HIGH] = true; behind[NORMAL] = true
       :: kind == HAND && CURRENT ->
            i = 1;
            do
            :: HAS(page, i) -> break
            :: else -> i++
            od;
            if
            :: i <= cursor[p] -> skip
            :: i > cursor[p] && !behind[p] && OPEN(p) && n_in_flight < WINDOW -> send_message(i)
            :: else -> behind[p] = true
            fi
       :: kind == PAGE && p < 2 && CURRENT ->
            pulling[p] = false;
            if :: again[p] -> more = 1; again[p] = false :: else -> skip fi;
            if
            :: !OPEN(p) -> skip
            :: else ->
                 i = 1;
                 do
                 :: i > MESSAGES -> break
                 :: i <= MESSAGES && HAS(page, i) && i > cursor[p] && n_in_flight < WINDOW ->
                      send_message(i); i++
                 :: i <= MESSAGES && HAS(page, i) && i > cursor[p] && n_in_flight >= WINDOW ->
                      more = 1; break
                 :: i <= MESSAGES && !(HAS(page, i) && i > cursor[p]) -> i++
                 od;
#ifndef FLAG_CLEARED_BY_PULL
                 /* Only a page that reached the end of the mailbox ends being behind. */
                 if :: !more -> behind[p] = false :: else -> skip fi
#else
                 if :: more -> behind[p] = true :: else -> skip fi
#endif
            fi
       :: else -> skip
       fi; kind = BIND; of_epoch = 0; p = 0; page = 0; i = 0; more = 0 }
  :: atomic { my_epoch > 0 && behind[HIGH] && !pulling[HIGH] && n_in_flight < WINDOW && nfull(up) ->
       pulling[HIGH] = true;
#ifdef FLAG_CLEARED_BY_PULL
       behind[HIGH] = false;
#endif
       up!PULL, my_epoch, HIGH, cursor[HIGH] }
  :: atomic { my_epoch > 0 && behind[NORMAL] && !pulling[NORMAL] && OPEN(NORMAL) &&
              n_in_flight < WINDOW && nfull(up) ->
       pulling[NORMAL] = true;
#ifdef FLAG_CLEARED_BY_PULL
       behind[NORMAL] = false;
#endif
       up!PULL, my_epoch, NORMAL, cursor[NORMAL] }
  :: atomic { in_flight != 0 ->
       /* The device acknowledges any of them. */
       i = 1;
       do
       :: HAS(in_flight, i) -> break
       :: HAS(in_flight, i) && (in_flight >> (i + 1)) != 0 -> i++
       :: !HAS(in_flight, i) -> i++
       od;
       in_flight = in_flight & ~BIT(i); n_in_flight--; unconfirmed = unconfirmed | BIT(i); i = 0 }
  :: atomic { unconfirmed != 0 && my_epoch > 0 && nfull(up) ->
       i = 1;
       do
       :: HAS(unconfirmed, i) -> break
       :: else -> i++
       od;
       unconfirmed = unconfirmed & ~BIT(i);
       up!ACK, my_epoch, 0, i; i = 0 }
  :: timeout ->
       /* Nothing can happen any more. A message that waits for an open gate is where it should be. */
       assert(appended < MESSAGES || !awake ||
              (waiting & ~sent) == 0);
       break
  od
}

init {
  atomic { run Owner(); run World(); run Session() }
}
