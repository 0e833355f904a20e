/* Who owns a store in PostgreSQL, and what a commit is whose answer is lost
 * (docs/decisions/postgres_engine.md).
 *
 * What is modelled: two registries that take the store from each other at any time; commits of one
 * statement, which lock the row of the lease; a primary and its synchronous standby; a network that
 * loses requests and answers, or keeps a request for later; a registry that falls asleep between a
 * statement and its end; a wait for the standby that is cancelled, or released because the names of
 * the standbys were emptied; a primary that is cut off, goes on as a zombie, and is replaced by its
 * standby.
 *
 * What is checked, over all interleavings:
 *   nothing lost           what was answered OK is in the new primary
 *   nothing denied comes   a commit that was answered "not made" is never made
 *   fenced owners are mute an answer to a read is what the store holds at that time
 *   nobody is stuck        an owner that sleeps does not keep another one from taking the store
 *
 * Each fault below is a broken rule. tests/models/models_test.sh sees that spin finds every one.
 *   NO_EPOCH_CHECK         a commit writes whatever the row's epoch is
 *   NO_TERMINATE           a taker does not end the connection of the old owner
 *   UNKNOWN_IS_FAILED      a commit whose answer is lost counts as not made
 *   WARNING_IS_OK          a commit whose wait was cancelled counts as made
 *   NAMES_UNREAD           nobody looks whether there is still a standby
 *   TAKEN_WITHOUT_ACK      a taker reads before a standby has its epoch
 *   CONFIRM_ONLY_READS     a read is confirmed by a look at the epoch, which writes nothing
 */

#define OWNERS 2
#ifndef COMMITS
#define COMMITS 1
#endif
#ifndef TAKES
#define TAKES 2
#endif

#define BIT(i) (1 << (i))

/* State of a request. EXEC: it holds the row, and waits for its end. WAIT: it is committed on the
   primary, holds the row, and waits for the standby. */
mtype = { NONE, NET, EXEC, WAIT, OK, WARNED, ALONE, REFUSED, LOST };
mtype = { TAKE, COMMIT };

/* --- Servers. 0 is the first primary; 1 its standby, and the primary after a change. --- */
byte current = 0;
bool alive0 = true;
/* What everybody sees. */
byte own[2]; byte ep[2]; byte ops[2];
/* Who holds the row of the leases: a request + 1. */
byte lock[2];
/* What the request in WAIT has written, and whether a standby has it. */
byte p_own[2]; byte p_ep[2]; byte p_ops[2]; bool p_acked[2];
/* What server 1 has of server 0. */
byte r_own; byte r_ep; byte r_ops;

bool cancel_left = true;
bool empty_left = true;

/* --- Requests: 2 * owner is that which the owner waits for, the next one it gave up. --- */
mtype state[2 * OWNERS]; mtype kind[2 * OWNERS];
byte server[2 * OWNERS]; byte epoch[2 * OWNERS]; byte op[2 * OWNERS];
byte from[2 * OWNERS];

/* --- Owners, and what they have told. --- */
byte known[OWNERS];
/* Its connection was ended, and it does not know yet. */
bool cut[OWNERS];
/* Whether the other one slept when this one sent its taking. */
bool slept[OWNERS];
bool asleep = false;
byte answered = 0;     /* OK */
byte denied = 0;       /* not made */
byte next_op = 0;
byte takes_left = TAKES;

#define WHO(b) ((b) / 2)

inline release(b) { lock[server[b]] = 0 }

/* What the request has written is seen by all. */
inline becomes_visible(b) {
  own[server[b]] = p_own[server[b]];
  ep[server[b]] = p_ep[server[b]];
  ops[server[b]] = p_ops[server[b]];
  release(b);
  /* What a server says that was cut off counts for nothing. */
  assert(server[b] != current || (ops[current] & denied) == 0)
}

inline write_it(b) {
  p_acked[server[b]] = false;
  p_own[server[b]] = own[server[b]]; p_ep[server[b]] = ep[server[b]];
  p_ops[server[b]] = ops[server[b]];
  if
  :: kind[b] == TAKE -> p_own[server[b]] = WHO(b) + 1; p_ep[server[b]] = epoch[b]
  :: kind[b] == COMMIT && op[b] > 0 -> p_ops[server[b]] = p_ops[server[b]] | BIT(op[b])
  :: else -> skip
  fi;
  state[b] = WAIT
}

/* A read is answered as of now, if this is the empty commit of one that its owner waits for. */
inline answers_read(b) {
  assert(!(kind[b] == COMMIT && op[b] == 0 && (b) % 2 == 0) || known[WHO(b)] == ops[current])
}

#ifdef NO_EPOCH_CHECK
#define EPOCH_HOLDS(b) true
#else
#define EPOCH_HOLDS(b) (ep[server[b]] == epoch[b])
#endif

/* The servers and the network, for one request. */
proctype Request(byte b) {
end:
  do
  :: atomic { state[b] == NET && lock[server[b]] > 0 && kind[b] == TAKE && slept[WHO(b)] ->
       /* A taker ends the connection of one that sleeps, and so has the row. */
       assert(!(state[lock[server[b]] - 1] == EXEC && lock[server[b]] - 1 < 2));
       state[b] = LOST }
  :: atomic { state[b] == NET && lock[server[b]] == 0 ->
       if
       :: kind[b] == TAKE && (own[server[b]] == from[b] || own[server[b]] == WHO(b) + 1 ||
                              own[server[b]] == 0) && ep[server[b]] < epoch[b] ->
            lock[server[b]] = b + 1; write_it(b);
#ifdef TAKEN_WITHOUT_ACK
            becomes_visible(b); state[b] = OK
#endif
       :: kind[b] == COMMIT && EPOCH_HOLDS(b) ->
#ifdef CONFIRM_ONLY_READS
            if
            :: op[b] == 0 -> state[b] = OK; answers_read(b)
            :: else -> lock[server[b]] = b + 1; state[b] = EXEC
            fi
#else
            lock[server[b]] = b + 1; state[b] = EXEC
#endif
       :: else -> state[b] = REFUSED
       fi }
  :: atomic { state[b] == EXEC && !(asleep && WHO(b) == 0) -> write_it(b) }
  :: atomic { state[b] == WAIT && p_acked[server[b]] ->
       becomes_visible(b); state[b] = OK }
  :: atomic { state[b] == WAIT && cancel_left ->
       cancel_left = false; becomes_visible(b); state[b] = WARNED }
  :: atomic { state[b] == WAIT && empty_left && server[b] == current ->
       empty_left = false; becomes_visible(b); state[b] = ALONE }
  /* The request, or its answer, is lost. */
  :: atomic { state[b] == NET -> state[b] = LOST }
  :: atomic { (state[b] == OK || state[b] == REFUSED) -> state[b] = LOST }
  od
}

proctype World() {
  byte b;
end:
  do
  /* The standby has all that the primary has. */
  :: atomic { current == 0 ->
       if
       :: lock[0] > 0 && state[lock[0] - 1] == WAIT ->
            r_own = p_own[0]; r_ep = p_ep[0]; r_ops = p_ops[0];
            if
            :: !p_acked[0] -> p_acked[0] = true; answers_read(lock[0] - 1)
            :: else -> skip
            fi
       :: else -> r_own = own[0]; r_ep = ep[0]; r_ops = ops[0]
       fi }
  :: atomic { current == 1 && lock[1] > 0 && state[lock[1] - 1] == WAIT && !p_acked[1] ->
       p_acked[1] = true; answers_read(lock[1] - 1) }
  /* The standby becomes the primary; the old one does not know of it. */
  :: atomic { current == 0 ->
       current = 1;
       own[1] = r_own; ep[1] = r_ep; ops[1] = r_ops;
       assert((answered & ~ops[1]) == 0 && (ops[1] & denied) == 0) }
  /* The old one dies at last. */
  :: atomic { current == 1 && alive0 ->
       alive0 = false;
       b = 0;
       do
       :: b == 2 * OWNERS -> break
       :: b < 2 * OWNERS ->
            if
            :: state[b] != NONE && server[b] == 0 -> state[b] = LOST
            :: else -> skip
            fi;
            b++
       od;
       lock[0] = 0; b = 0 }
  :: atomic { !asleep && (state[0] == EXEC) -> asleep = true }
  od
}

/* Ends a connection of an owner to this server. No safety rests on it: where the owner is awake, its
   connection may be so new that nobody sees it. */
inline end_request(b, at) {
  if
  :: server[b] != at -> skip
  :: server[b] == at && state[b] == NONE -> skip
  :: server[b] == at && state[b] == NET && !asleep -> skip
  :: server[b] == at && state[b] == EXEC -> release(b); state[b] = LOST
  :: server[b] == at && state[b] == WAIT -> becomes_visible(b); state[b] = LOST
  :: server[b] == at && state[b] != NONE && state[b] != EXEC && state[b] != WAIT -> state[b] = LOST
  fi
}

/* Sends a request on the owner's connection. */
inline send(k, e, o) {
  state[mine] = (cut[me] -> LOST : NET);
  kind[mine] = k; epoch[mine] = e; op[mine] = o; server[mine] = at
}

/* What is over looks alike: there are fewer states. */
inline forget(b) { state[b] = NONE; kind[b] = COMMIT; epoch[b] = 0; op[b] = 0; from[b] = 0 }

/* The owner waits no longer; the request goes on. */
inline give_up() {
  state[mine + 1] = state[mine]; kind[mine + 1] = kind[mine]; server[mine + 1] = server[mine];
  epoch[mine + 1] = epoch[mine]; op[mine + 1] = op[mine]; from[mine + 1] = from[mine];
  if
  :: lock[server[mine]] == mine + 1 -> lock[server[mine]] = mine + 2
  :: else -> skip
  fi;
  forget(mine)
}

#define FREE(b) (state[b] == NONE || state[b] == LOST || state[b] == OK || state[b] == WARNED || \
                 state[b] == ALONE || state[b] == REFUSED)
#define SLEEPS (me == 0 && asleep)

proctype Owner(byte me) {
  byte mine = 2 * me;
  byte at = 0;         /* server */
  byte e = 0;          /* epoch; 0: no owner */
  byte unknown = 0;    /* a commit of which nobody knows */
  bool resolves = false;
end:
  do
  /* Takes the store: because the other one seems silent, or to resolve a commit. */
  :: atomic { e == 0 && state[mine] == NONE && takes_left > 0 && !SLEEPS ->
       takes_left--;
       if
       :: alive0 -> at = 0
       :: current == 1 -> at = 1
       fi;
#ifndef NO_TERMINATE
       end_request(2 * (1 - me), at);
       if
       :: server[2 * (1 - me)] == at -> cut[1 - me] = true
       :: server[2 * (1 - me)] != at || !asleep -> skip
       fi;
       end_request(2 * (1 - me) + 1, at);
       end_request(mine + 1, at);
#endif
       if
       :: resolves && own[at] != me + 1 ->
            /* It is fenced, and can't say what became of its commit. */
            unknown = 0; resolves = false
       :: else ->
            cut[me] = false; slept[me] = asleep;
            send(TAKE, ep[at] + 1, 0);
            from[mine] = (resolves -> me + 1 : own[at])
       fi }
  :: atomic { state[mine] == OK && kind[mine] == TAKE && !SLEEPS ->
       e = epoch[mine]; forget(mine);
       known[me] = ops[at];
       if
       :: unknown > 0 && (known[me] & BIT(unknown)) != 0 ->
            answered = answered | BIT(unknown)
       :: unknown > 0 && (known[me] & BIT(unknown)) == 0 -> denied = denied | BIT(unknown)
       :: else -> skip
       fi;
       unknown = 0; resolves = false }
  :: atomic { (state[mine] == WARNED || state[mine] == ALONE || state[mine] == REFUSED ||
               state[mine] == LOST) && kind[mine] == TAKE && !SLEEPS ->
       forget(mine) }
  /* A server that was cut off never answers. */
  :: atomic { kind[mine] == TAKE && state[mine] == WAIT && at != current && FREE(mine + 1) &&
              !SLEEPS ->
       give_up() }

  :: atomic { e > 0 && state[mine] == NONE && next_op < COMMITS && !SLEEPS ->
       next_op++;
       send(COMMIT, e, next_op) }
  /* A read: it is answered with an empty commit. */
  :: atomic { e > 0 && state[mine] == NONE && !SLEEPS && FREE(mine + 1) -> send(COMMIT, e, 0) }
  :: atomic { kind[mine] == COMMIT && !SLEEPS &&
              (state[mine] == OK
#ifdef WARNING_IS_OK
               || state[mine] == WARNED
#endif
#ifdef NAMES_UNREAD
               || state[mine] == ALONE
#endif
              ) ->
       if
       :: op[mine] > 0 ->
            answered = answered | BIT(op[mine]); known[me] = known[me] | BIT(op[mine])
       :: else -> skip
       fi;
       forget(mine) }
  :: atomic { kind[mine] == COMMIT && state[mine] == REFUSED && !SLEEPS ->
       if
       :: op[mine] > 0 -> denied = denied | BIT(op[mine])
       :: else -> skip
       fi;
       forget(mine); e = 0; resolves = false }
  /* Unknown: its answer is lost, warns, or lets itself be waited for. */
  :: atomic { kind[mine] == COMMIT && !SLEEPS && FREE(mine + 1) &&
              (state[mine] == NET || state[mine] == EXEC || state[mine] == WAIT ||
#ifndef WARNING_IS_OK
               state[mine] == WARNED ||
#endif
#ifndef NAMES_UNREAD
               state[mine] == ALONE ||
#endif
               state[mine] == LOST) ->
       unknown = op[mine];
#ifdef UNKNOWN_IS_FAILED
       if
       :: unknown > 0 -> denied = denied | BIT(unknown); unknown = 0
       :: else -> skip
       fi;
       resolves = false;
#else
       resolves = true;
#endif
       if
       :: state[mine] == NET || state[mine] == EXEC || state[mine] == WAIT -> give_up()
       :: else -> forget(mine)
       fi;
       e = 0 }
  /* What was given up is over. */
  :: atomic { state[mine + 1] != NONE && FREE(mine + 1) -> forget(mine + 1) }
  od
}

init {
  atomic {
    byte b = 0;
    do
    :: b == 2 * OWNERS -> break
    :: b < 2 * OWNERS -> state[b] = NONE; kind[b] = COMMIT; b++
    od;
    b = 0;
    do
    :: b == 2 * OWNERS -> break
    :: b < 2 * OWNERS -> run Request(b); b++
    od;
    run World(); run Owner(0); run Owner(1)
  }
}
