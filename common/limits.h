#ifndef BELLWIRE_COMMON_LIMITS_H_
#define BELLWIRE_COMMON_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

// Every bound of the system, with its reason. A bound that may be configured has its default here.
namespace bellwire {

// --- The provider API (design: "Provider API"). ---

// As APNs: large enough for text and a key, small enough that the phone wakes for one packet train.
inline constexpr size_t kMaxPayloadBytes = 4096;
// As apns-collapse-id.
inline constexpr size_t kMaxCollapseKeyBytes = 64;
// Opaque lower-case hex. As long as APNs' longest, which libraries for it check.
inline constexpr size_t kMaxTokenChars = 160;
// As FCM's batches were, times two: amortises a round trip, keeps one call under 5 MiB.
inline constexpr size_t kMaxBatchMessages = 1000;
// As FCM: four weeks.
inline constexpr absl::Duration kMaxTtl = absl::Hours(28 * 24);
inline constexpr absl::Duration kMaxDeliverAtAhead = absl::Hours(30 * 24);
// Topics: names as FCM's; how many one registration may have, as there; how many a condition may
// name.
inline constexpr size_t kMaxTopicNameChars = 900;
inline constexpr size_t kMaxTopicsPerRegistration = 2000;
inline constexpr size_t kMaxConditionTopics = 5;
// A provider JWT is good for one hour from `iat`, as APNs', and may be this much in the future.
inline constexpr absl::Duration kMaxJwtAge = absl::Hours(1);
inline constexpr absl::Duration kMaxJwtClockSkew = absl::Minutes(5);
// A JWT of ours has under 400 characters; anything far longer is not parsed.
inline constexpr size_t kMaxJwtBytes = 4096;
// How long a ttl-zero Send waits for the device's acknowledgement.
inline constexpr absl::Duration kNowOrNeverWait = absl::Seconds(10);
// Sends of one SendStream that are not answered yet; further ones stay in HTTP/2's window.
inline constexpr size_t kMaxSendStreamInFlight = 1024;
// 1,000 messages of 4 KiB payload and their frame.
inline constexpr int kMaxProviderRequestBytes = 6 * 1024 * 1024;

// --- A gateway. ---

// Calls of one gateway that wait for the registry: what its queue holds, and at 6 KiB each 96 MiB.
// Beyond it the answer is OVERLOADED at once: waiting would only make it late. Teams share these
// places by dynamic thresholds (gateway/send/team_places.h), as they share the registry's queue.
inline constexpr size_t kMaxGatewaySends = 16 * 1024;
// How many of them one team may have: as many as the registry serves for it within the target,
// which the answers to a team that overdoes it take then. Several syncs and a round trip fit well.
// The minimum lets one stream or batch through a registry of any speed; the teams that are active
// share it.
inline constexpr absl::Duration kAppendLatencyTarget = absl::Milliseconds(50);
inline constexpr size_t kMinGatewayAppends = 1024;
// Ttl-zero Sends at a time: devices that don't answer hold theirs for kNowOrNeverWait. Shared by
// teams as above, so that one whose devices are silent takes half of them at most.
inline constexpr size_t kMaxNowOrNeverSends = 4 * 1024;
// Receipt streams of one gateway, shared by teams as above, and those of one team: one for each of
// its backends, and many times more than it needs. Each new receipt costs every one of them a read.
inline constexpr size_t kMaxReceiptStreams = 4096;
inline constexpr size_t kMaxReceiptStreamsPerTeam = 64;
// What OVERLOADED asks a provider to wait: several times what a full queue takes to drain.
inline constexpr absl::Duration kOverloadedRetryAfter = absl::Seconds(1);
// What QUOTA_EXCEEDED asks a provider to wait: ttl-zero Sends end within this time, and receipt
// streams when the provider ends them.
inline constexpr absl::Duration kQuotaRetryAfter = kNowOrNeverWait;
// A key id that is unknown is asked for again after this: a key just made is soon usable.
inline constexpr absl::Duration kMaxUnknownKeyAge = absl::Seconds(2);
// Signing keys, key ids that are no key, and verified JWTs that a gateway remembers. At most about
// 300 bytes each; kept apart, so that a flood of one can't push out the others.
inline constexpr size_t kMaxCachedKeys = 4096;
inline constexpr size_t kMaxCachedUnknownKeys = 1024;
inline constexpr size_t kMaxCachedJwts = 4096;
// Key ids asked for at the registry at one time: made-up ones must not fill its queue.
inline constexpr size_t kMaxKeyFetches = 64;
// Calls that wait for the key of their JWT.
inline constexpr size_t kMaxKeyWaiters = 4096;
// A P-256 SubjectPublicKeyInfo in PEM has 178 characters; anything far longer is not parsed.
inline constexpr size_t kMaxPublicKeyPemBytes = 1024;
// Fields of one message of a batch: it has 8, and tomorrow some more. A parser makes 16 bytes of
// memory or more of a field of two bytes.
inline constexpr size_t kMaxFieldsPerMessage = 64;
// Reflection streams at a time; the oldest makes room for the next. Tools need one for a moment.
inline constexpr size_t kMaxReflectionStreams = 64;
// Wrong admin tokens that are answered as such in a row; further ones one per interval.
inline constexpr size_t kMaxWrongAdminTokens = 10;
inline constexpr absl::Duration kWrongAdminTokenInterval = absl::Seconds(1);
// How long the calls that run at SIGTERM may go on.
inline constexpr absl::Duration kGatewayDrainGrace = absl::Seconds(15);
// The last part of that time: ttl-zero Sends stop waiting for their devices, and ask the registry
// how they ended. That is one commit, with room for a slow disk.
inline constexpr absl::Duration kDrainResolveTime = absl::Milliseconds(500);
// After it: what is still unanswered is told SHUTTING_DOWN, and the answers go out.
inline constexpr absl::Duration kDrainFlushTime = absl::Milliseconds(250);

// --- The HTTP listener of a gateway (gateway/doors/http). ---

// Connections of one listener: 24 KiB each for TLS and HTTP/2. Of the process's descriptors it
// takes no more than so many and one in kHttpDescriptorPart: half of what the device port leaves.
inline constexpr size_t kMaxHttpConnections = 4096;
inline constexpr size_t kHttpDescriptors = 256;
inline constexpr size_t kHttpDescriptorPart = 64;
// Threads of one listener: a core serves some 20,000 calls a second.
inline constexpr int kMaxHttpThreads = 8;
// Log lines about connections that we ended or refused; those beyond are counted.
inline constexpr double kHttpLogBurst = 20;
inline constexpr double kHttpLogLinesPerSecond = 1;
// What one connection counts for beside its requests: OpenSSL's state, nghttp2's, two HPACK tables.
inline constexpr size_t kHttpConnectionBytes = 24 * 1024;
// What one request counts for beside its head and body: the call, and nghttp2's stream.
inline constexpr size_t kHttpRequestBytes = 2 * 1024;
// All connections of one listener, with what they have sent and not yet been served, and what they
// were answered and have not read. Less than half of the smallest box that runs `bellwire serve`,
// and full connections take half of that. Beyond the half of it, each peer has its fair share.
inline constexpr size_t kMaxHttpMemoryBytes = 192 * 1024 * 1024;
// The head of one request, each field as RFC 9113, 6.5.2 counts it: a JWT, and what proxies and
// tracers add. A longer head is answered 431, or RESOURCE_EXHAUSTED; one of four times as much ends
// the connection.
inline constexpr size_t kMaxHttpHeadBytes = 16 * 1024;
inline constexpr size_t kMaxHttpHopelessHeadBytes = 4 * kMaxHttpHeadBytes;
// CONTINUATION frames of one head: the longest head that is taken fits in two frames.
inline constexpr size_t kMaxHttpContinuations = 8;
// Entries of one SETTINGS frame: there are eight settings.
inline constexpr size_t kMaxHttpSettings = 32;
// Answers to SETTINGS and PING that wait for a peer that doesn't read.
inline constexpr size_t kMaxHttpOutboundAcks = 256;
// Requests at a time on one connection; further ones wait in its client.
inline constexpr uint32_t kMaxHttpStreams = 1024;
// Requests that one connection begins before others have their turn: below a millisecond of work.
inline constexpr int kMaxHttpRequestsPerTurn = 32;
// What a peer may send ahead on one stream, and on one connection: several MiB a second over any
// round trip, and all that a call without a credential makes us hold.
inline constexpr int32_t kHttpStreamWindowBytes = 256 * 1024;
inline constexpr int32_t kHttpConnectionWindowBytes = 1024 * 1024;
// Streams of one connection that end by a reset of either side. A client whose deadline passes
// resets all that it has under way, so the burst is kMaxHttpStreams; each answer earns another one.
// Beyond it the connection ends with ENHANCE_YOUR_CALM (CVE-2023-44487, rapid reset).
inline constexpr double kHttpResetBurst = 1024;
inline constexpr double kHttpResetsPerSecond = 100;
// Frames that carry nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown ones.
// Each request and each DATA frame that we send earns some: clients update windows and measure the
// path.
inline constexpr double kHttpControlFrameBurst = 2048;
inline constexpr double kHttpControlFramesPerSecond = 100;
inline constexpr double kHttpControlFramesPerRequest = 8;
// A body that was begun may pause so long, and must come at this rate over all: a phone line's.
inline constexpr absl::Duration kHttpBodyGrace = absl::Seconds(20);
inline constexpr int64_t kHttpBodyBytesPerSecond = 8 * 1024;
// An answer that is complete and that its peer takes nothing of for so long is dropped; and so is a
// connection that takes none of our bytes.
inline constexpr absl::Duration kHttpWriteStall = absl::Seconds(60);
// Bytes of one connection handed to its socket and not taken, and bytes of one stream written and
// not framed; beyond either, nothing more is produced.
inline constexpr size_t kHttpWriteBufferBytes = 64 * 1024;
inline constexpr size_t kHttpStreamBufferBytes = 64 * 1024;
// Bytes that one connection is given before others have their turn.
inline constexpr size_t kMaxHttpBytesPerTurn = 128 * 1024;
// From accept to the peer's first SETTINGS, or the first line of HTTP/1.
inline constexpr absl::Duration kHttpHandshakeTimeout = absl::Seconds(10);
// A connection that never had a request is closed after so long: a client that connects ahead of
// its first call makes one by then, and else it connects again.
inline constexpr absl::Duration kHttpFirstRequestTimeout = absl::Seconds(45);
// A connection without a request for so long is closed; its client opens another when it needs one.
inline constexpr absl::Duration kHttpIdleTimeout = absl::Hours(1);
// A peer that was silent for so long is asked for a sign of life (PING), and has this long to give
// one. Finds dead providers, and keeps the NAT entries of those that pause between two Sends.
inline constexpr absl::Duration kHttpKeepaliveInterval = absl::Seconds(120);
inline constexpr absl::Duration kHttpKeepaliveTimeout = absl::Seconds(20);
// How long a drain waits for the answer to its PING before it refuses new requests.
inline constexpr absl::Duration kHttpDrainNotice = absl::Seconds(1);
// Health.Watch and reflection need no credential: so many of their streams on one connection, and
// so long between two questions of reflection.
inline constexpr size_t kMaxOpenStreamsPerConnection = 16;
inline constexpr absl::Duration kReflectionIdleTimeout = absl::Minutes(1);

// --- Mailbox and receipts (design: "Life of a message"). ---

inline constexpr size_t kMaxMailboxMessagesPerApp = 100;
// A repeated message id is recognised for this long …
inline constexpr absl::Duration kIdempotencyWindow = absl::Hours(24);
// … and its receipts are kept for this long.
inline constexpr absl::Duration kReceiptRetention = absl::Hours(7 * 24);
// … and this much longer: most messages end within it after they came to their device, so that the
// timeline entry made then serves for their end as well.
inline constexpr absl::Duration kReceiptRetentionSlack = absl::Hours(1);
// A dead token answers UNREGISTERED for this long: the promised 30 days, and as long as a message
// can live that the agent had taken before, so that its last receipt still finds its team.
inline constexpr absl::Duration kDeadTokenRetention = absl::Hours(36 * 24);
// A message cycles through redelivery at most so often in its receipts; later SENTs replace the
// last.
inline constexpr size_t kMaxReceiptsPerMessage = 32;
// Apps registered on one device: hundreds are real, more is a bug or an attack.
inline constexpr size_t kMaxAppsPerDevice = 512;
// Registrations of one device, living and dead. Dead ones go after kDeadTokenRetention, or when the
// bound is reached: the oldest first, a quarter of them at once, so that the search for them is
// rare.
inline constexpr size_t kMaxRegistrationsPerDevice = 2048;
// Of those, dead ones of one app: a reinstallation every day of kDeadTokenRetention, and more. An
// app that registers and removes in a loop pushes out its own dead tokens, and no other app's. Half
// of them go at once.
inline constexpr size_t kMaxDeadRegistrationsPerApp = 64;
// What MAILBOX_FULL asks a provider to wait: places come free when the phone is back.
inline constexpr absl::Duration kMailboxFullRetryAfter = absl::Minutes(1);
// While the device has a session, a message that runs out of ttl may be on its way: its end is
// written this much later, so that the acknowledgement under way counts. It is not sent any more.
inline constexpr absl::Duration kExpiryGrace = absl::Seconds(10);
// A full mailbox drops nothing that was handed to a session so short a time ago: the device may
// have it. By then it is acknowledged, or the connector has said that it was sent
// (kReportSentAfter).
inline constexpr absl::Duration kHandOverGrace = absl::Seconds(5);
// A message that the agent has and says nothing more about ends this long after its ttl.
inline constexpr absl::Duration kDeviceReportGrace = kReceiptRetention;
// Under its number a now-or-never message can be resolved for so long after the gateway's wait.
inline constexpr absl::Duration kResolveGrace = absl::Seconds(50);
// Recalls of one device that wait for its word: all of them are handed out with each Bind, 16 KiB
// in frames. Beyond it a provider is told that its recall was not taken.
inline constexpr size_t kMaxRecallNotices = 512;

// --- The registry. ---

// Teams on one server, apps and keys of one team: all of them are listed in one answer.
inline constexpr size_t kMaxTeams = 10'000;
inline constexpr size_t kMaxAppsPerTeam = 1000;
inline constexpr size_t kMaxKeysPerTeam = 100;
// One page of a mailbox, whatever is asked for: four session windows.
inline constexpr size_t kMaxPageBytes = 256 * 1024;
inline constexpr size_t kMaxPageMessages = 256;
// Mailbox records looked at for one page: a mailbox of expired messages must not hold up the
// writer.
inline constexpr size_t kMaxPageScan = 1024;
// Items of one Ack, AppAck or ReportSent: several frames' worth of a device.
inline constexpr size_t kMaxAckItems = 1024;
// Due messages that come into their mailbox in one transaction; the rest comes with the next one.
// Small, since whoever calls meanwhile waits for it.
inline constexpr size_t kMaxReleasesPerTransaction = 16;
// Due entries that one sweep step handles with a batch: as many as the batch has operations, so
// that sweeps keep up with what is sent and take half of the writer's time at most; between these
// two. The least is what somebody who calls an idle registry may have to wait for, about a
// millisecond.
inline constexpr size_t kMinSweepEntries = 16;
inline constexpr size_t kMaxSweepEntries = 256;
// How long the writer rests between sweeps when nothing more is due. Also how late a deliver_at may
// be.
inline constexpr absl::Duration kSweepInterval = absl::Seconds(1);
// Receipts reach their feed this long after their commit, with the next commit: the relay's writes
// share its sync, and the longer they wait the more of them share one record.
inline constexpr absl::Duration kRelayInterval = absl::Milliseconds(20);
// Outbox entries that one step of the relay moves.
inline constexpr size_t kMaxRelayEntries = 2048;
// Receipts in one record of a feed, and in one answer: about 32 KiB.
inline constexpr size_t kMaxFeedBlockReceipts = 256;
// Records that one trim of a feed removes, and how long it rests if nothing more is due: forgetting
// by the minute is soon enough, and record by record would be a wake-up each.
inline constexpr size_t kMaxFeedTrimBlocks = 256;
inline constexpr absl::Duration kFeedTrimInterval = absl::Minutes(1);
// How long a ReadReceipts may wait for receipts, and how many may at a time: of all teams, who
// share these places (a team may have as many as are free), and kMaxReceiptStreamsPerTeam of one.
inline constexpr absl::Duration kMaxReceiptWait = absl::Seconds(5);
inline constexpr size_t kMaxReceiptWaiters = 4096;
// The pool of what devices learned about networks (registry/networks/network_pool.h): a table of so
// many slots with so many places each, 1.3 GiB if every place were taken with every vote. A million
// networks fit with hardly a collision.
inline constexpr uint32_t kNetworkSlots = 1 << 20;
inline constexpr size_t kMaxNetworksPerSlot = 4;
// Devices whose word on one network is kept: a median needs no more.
inline constexpr size_t kMaxNetworkVotes = 16;
// A hint is the word of so many devices at least, so that none of them can tell another what to do,
// and nobody learns from it what one device did.
inline constexpr size_t kMinHintVotes = 3;
// A vote counts for this long: NATs are replaced, phones move on.
inline constexpr absl::Duration kNetworkVoteRetention = absl::Hours(45 * 24);
// The same vote again is written when the one there is this old, and a place is taken from one that
// is: a login is no reason to write.
inline constexpr absl::Duration kNetworkVoteRefresh = absl::Hours(7 * 24);
// After a failed write the store is opened again at most this often.
inline constexpr absl::Duration kStoreReopenInterval = absl::Seconds(1);
// Less room on its disk, and the store is not opened: a start writes some 100 KiB beside what it
// replays.
inline constexpr uint64_t kMinStoreRoomBytes = 256 * 1024;
// So much is logged from the first of a device's latest writes on, by all devices, before RocksDB's
// tables hear of them. Bounds the memory that they take and the log that is kept for them. 32 MiB
// were no faster than 8.
inline constexpr uint64_t kMaxRecentWritesBytes = 16 * 1024 * 1024;
// What `registry check` lists of what is wrong; the rest is counted. Nobody reads more, and a store
// that is damaged all over must not fill the memory.
inline constexpr size_t kMaxCheckProblems = 1000;

// --- Names. ---

inline constexpr size_t kMaxAppIdBytes = 128;
inline constexpr size_t kMaxTeamNameBytes = 64;
// Of a team id or key id: we make ten characters; more leaves room for another maker.
inline constexpr size_t kMaxShortIdBytes = 64;
// "host:port" of a connector: a DNS name has at most 253 characters.
inline constexpr size_t kMaxAddressBytes = 260;
inline constexpr size_t kMaxAgentVersionBytes = 64;

// --- The device protocol (docs/reference/wire_protocol.md). ---

// A Push of 4,096 bytes payload with all fields fits well; a peer can make us hold no more than
// this.
inline constexpr size_t kMaxFrameBytes = 16 * 1024;
// Bytes of received, not yet parsed data held for a peer that has not logged in (beyond TLS).
inline constexpr size_t kMaxPreLoginBytes = 8 * 1024;
// What a peer may take from accept to a complete Login. Time that we let it wait doesn't count.
inline constexpr absl::Duration kLoginTimeout = absl::Seconds(8);
// A device's Login comes in one piece, or a few. So many calls of read for it are more than any
// network makes of it, and bound what a peer costs that sends it byte by byte.
inline constexpr size_t kMaxPreLoginPieces = 512;
// Encrypted bytes that a peer may send before its TLS handshake is done. A ClientHello with a
// ticket and a post-quantum key share has 2 KiB; whoever sends it in one-byte records needs 23
// times as many.
inline constexpr size_t kMaxHandshakeBytes = 32 * 1024;
// TLS KeyUpdates that a peer may send on one connection: each costs us two derived keys. TLS
// libraries send one after 2^24 records or 128 GiB, which no session reaches.
inline constexpr int kMaxTlsKeyUpdates = 32;
// Encrypted bytes and reads that one connection may take before others have their turn: 64 small
// records cost less than one step of a handshake.
inline constexpr size_t kMaxTlsBytesPerTurn = 64 * 1024;
inline constexpr int kMaxTlsReadsPerTurn = 64;
// Accepted sockets of one listener whose TLS handshake has not begun: all who come back to one
// shard at once. The kernel's own backlog is smaller, and resets who comes when it is full. 6 KiB
// each, most of it the kernel's.
inline constexpr size_t kMaxWaitingSockets = 64 * 1024;
// Of the process's descriptors (ulimit -n), so many and one in kDescriptorReservePart are left to
// everything but the device port: RocksDB's files, the connections of providers and daemons, its
// own loops. 480 of 1,024 and 18,863 of 20,000 are the device port's.
inline constexpr size_t kDescriptorReserve = 512;
inline constexpr size_t kDescriptorReservePart = 32;
// Handshakes of one shard that wait for their peer or for us; the rest waits as a socket. At a
// round trip of a quarter of a second it is as many logins as a core can do. No more, by Little's
// law: when the shard gives way to Sends, or its peers are slow, and 60 a second get through, the
// last of so many is done after four seconds, which is half of kLoginTimeout. When next to nobody
// gets through, only kMaxUnfinishedLogins bounds them.
inline constexpr size_t kMaxLoginsPerShard = 256;
// Connections of one shard between the start of TLS and Login, in whatever state: 40 MiB, with
// OpenSSL's buffers. Beyond it the oldest of the peer that has the most makes room.
inline constexpr size_t kMaxUnfinishedLogins = 1024;
// Of those, handshakes that wait for CPU time: so much that there always is one, and little enough
// that no deadline passes meanwhile (a step takes half a millisecond).
inline constexpr size_t kMaxReadyHandshakes = 64;
// Of those, logins that wait for the registry: a few syncs' worth. More would only wait there
// instead of here, in front of Sends.
inline constexpr size_t kMaxBindsPerShard = 128;
// Instead of kLoginTimeout, once there are kMaxUnfinishedLogins: several round trips over a slow
// radio.
inline constexpr absl::Duration kScarceLoginTimeout = absl::Seconds(3);
// The same, from the end of TLS: a Login needs no round trip, so only a lost packet delays it.
inline constexpr absl::Duration kScarceLoginPause = absl::Seconds(1);
// Log lines about connections of one shard in one kConnectionLogInterval: about those that never
// had a session, and about sessions. What is beyond them is counted by kind, in one line.
inline constexpr absl::Duration kConnectionLogInterval = absl::Seconds(10);
inline constexpr int kMaxStrangerLogLines = 5;
inline constexpr int kMaxSessionLogLines = 500;
// Added to the agent's promised interval before its silence counts as death.
inline constexpr absl::Duration kSilenceGrace = absl::Seconds(60);
// What agents are told to keep their heartbeat within; a connector may be told otherwise.
inline constexpr absl::Duration kMinHeartbeatInterval = absl::Seconds(10);
inline constexpr absl::Duration kMaxHeartbeatInterval = absl::Minutes(60);
// Pushes of one session that are sent and not acknowledged: one radio burst, and what a slow or
// hostile device may cost us.
inline constexpr size_t kSessionWindowBytes = 64 * 1024;
inline constexpr size_t kSessionWindowMessages = 64;
// Now-or-never messages may pass a full window, but no more of them than this.
inline constexpr size_t kMaxNowOrNeverInFlight = 16;
// Bytes written to a session and not taken by its socket; beyond it the session is closed.
inline constexpr size_t kMaxSessionWriteBytes = 256 * 1024;
inline constexpr size_t kMaxAckRangesPerFrame = 256;
inline constexpr size_t kMaxAppAcksPerFrame = 256;
// NetworkReports of one session that are passed on: a search ends, and a settled interval is probed
// once a week.
inline constexpr int kMaxNetworkReports = 16;
// App registrations of one session that wait for the registry.
inline constexpr size_t kMaxPendingAppRequests = 64;
// App acknowledgements of one session that wait for the registry: four frames' worth.
inline constexpr size_t kMaxPendingAppAcks = 4 * kMaxAppAcksPerFrame;
// With so many of them a session is not read from: what one TLS record of 16 KiB may bring at most,
// 20 bytes each, still fits.
inline constexpr size_t kPauseAtAppAcks = kMaxPendingAppAcks - kMaxFrameBytes / 20;
// A login's number is greater than the device's last one by at most this: whatever an agent counts
// in, even microseconds since 1970, it takes thousands of such steps to use the numbers up. One
// step with the greatest number there is would lock the device out for good.
inline constexpr uint64_t kMaxLoginNumberStep = uint64_t{1} << 53;
// A heartbeat's answer waits so long for the registry to take the app acknowledgements before it;
// well below kHeartbeatAckTimeout, so that no agent takes a slow registry for a dead path.
inline constexpr absl::Duration kMaxHeartbeatDelay = absl::Seconds(30);
// From a good login to the registry's answer.
inline constexpr absl::Duration kBindTimeout = absl::Seconds(10);
// A session repeats what the registry could not take with back-off, base·2^n up to the maximum.
inline constexpr absl::Duration kRegistryRetryBase = absl::Milliseconds(250);
inline constexpr absl::Duration kRegistryRetryMax = absl::Seconds(10);
// Agents that one shard sends away while it drains: each costs about 1 ms of CPU time elsewhere.
inline constexpr size_t kDrainConnectionsPerSecond = 500;
// After GoAway(DRAINING) a session stays this long for the acknowledgements that are under way.
inline constexpr absl::Duration kGoAwayLinger = absl::Seconds(2);
// What GoAway tells the agents, at random between the two: after a drain, which is spread already,
// …
inline constexpr absl::Duration kDrainRetryAfterMin = absl::Milliseconds(500);
inline constexpr absl::Duration kDrainRetryAfterMax = absl::Seconds(10);
// … and when the connector or its registry can't: an established phone can wait, a crowd is the
// danger.
inline constexpr absl::Duration kOverloadedRetryAfterMin = absl::Seconds(2);
inline constexpr absl::Duration kOverloadedRetryAfterMax = absl::Seconds(20);
// A device whose receipts would say SENT waits this long for the ack, which then says both.
inline constexpr absl::Duration kReportSentAfter = absl::Seconds(1);
// A NORMAL message for a device that nobody uses waits this long for the radio to be up anyway:
// long enough that the heartbeat of most phones comes before, short enough that mail is not missed.
inline constexpr absl::Duration kMaxNormalWait = absl::Minutes(15);

// --- Queues between threads and processes. ---

// Work posted to one event loop from other threads and not yet run.
inline constexpr size_t kMaxPostedTasks = 1 << 16;
// Requests that wait for the registry's writer thread, of teams and of devices each: at 20,000
// appends/s most of a second's worth. Teams share theirs (common/fair_queue.h).
inline constexpr size_t kMaxRegistryQueue = 16 * 1024;
// Look-ups of signing keys that wait there, for nobody knows whom: several gateways' worth.
inline constexpr size_t kMaxRegistryKeyLookUps = 1024;
// Operations that share one synced write: a larger batch costs less, and makes all who come
// meanwhile wait for it. The second holds while more than one team calls.
inline constexpr size_t kMaxGroupCommitOperations = 1024;
inline constexpr size_t kMaxSharedGroupCommitOperations = 256;
// A batch of so many ends once a team has been served that had nothing waiting before: it doesn't
// wait for others' backlog. Not sooner, or each newcomer would cost a sync.
inline constexpr size_t kMinGroupCommitOperations = 64;
// Logins that were answered and not written: half a minute's on two processors. Each is some 200
// bytes.
inline constexpr size_t kMaxWaitingRoutes = 16 * 1024;
// Those that any other write takes with it: more than come between two of them, and little beside a
// sync.
inline constexpr size_t kMaxWaitingRoutesPerCommit = 32;
// Deliveries handed to one shard and not yet seen by its thread; beyond it messages wait in the
// mailbox.
inline constexpr size_t kMaxShardRequests = 16 * 1024;
// Threads of one connector: the shard is one byte of the session id.
inline constexpr int kMaxShards = 256;
// Unanswered requests on one stream to a connector; beyond it messages wait in the mailbox.
inline constexpr size_t kMaxConnectorInFlight = 16 * 1024;
// A call of the registry over gRPC. Group commits take milliseconds; what takes longer than this is
// stuck, and its caller better tells so.
inline constexpr absl::Duration kRegistryCallTimeout = absl::Seconds(10);
// What OVERLOADED and REGISTRY_UNAVAILABLE advise: a queue drains, and a daemon restarts, within a
// second or two.
inline constexpr absl::Duration kRegistryRetryAfter = absl::Seconds(1);
// Between attempts to reach a connector whose stream broke, doubling: a restart is found soon, and
// a connector that is gone for good costs next to nothing.
inline constexpr absl::Duration kConnectorDialBase = absl::Milliseconds(100);
inline constexpr absl::Duration kConnectorDialMax = absl::Seconds(5);
// Connections per shard before it stops accepting; descriptors are the true bound (ulimit -n).
inline constexpr size_t kMaxConnectionsPerShard = 100'000;

// --- The agent. ---

// Reconnects: full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter") over base·2^n.
inline constexpr absl::Duration kReconnectBase = absl::Seconds(1);
inline constexpr absl::Duration kReconnectMax = absl::Minutes(5);
// However an agent comes to lose its connections, it opens so many at once, and over time no more
// than one per kReconnectRefillPart of the longest back-off: 30 an hour. That is more than the
// back-off asks for while a server is away, and an end to whatever makes sessions die as soon as
// they begin.
inline constexpr int kReconnectBurst = 20;
inline constexpr double kReconnectRefillPart = 0.4;
// A change of the network fills the budget up, but not more often than this: one that comes and
// goes all the time must not become a storm of logins.
inline constexpr absl::Duration kReconnectBudgetReset = absl::Minutes(10);
// From connect() to Welcome.
inline constexpr absl::Duration kConnectTimeout = absl::Seconds(30);
// RFC 8305, 8: between the starts of two attempts to reach the same host.
inline constexpr absl::Duration kConnectionAttemptDelay = absl::Milliseconds(250);
// Addresses of one host name that are tried; whoever has more of them repeats himself.
inline constexpr size_t kMaxConnectionAttempts = 16;
// A heartbeat or ack that is not answered within this time means a dead path.
inline constexpr absl::Duration kHeartbeatAckTimeout = absl::Seconds(60);
// A beat that asks whether a path is still there, after a suspend or a change of the network, waits
// so long for the kernel's word that anybody received it; cellular radios take a few seconds to
// wake.
inline constexpr absl::Duration kProbeAckTimeout = absl::Seconds(10);
// Who slept longer than this asks at once whether its connection lived (as GCM's client did).
inline constexpr absl::Duration kSuspendWorthABeat = absl::Seconds(10);
// Changes of links, addresses and routes come in bursts: one is settled when nothing came for this
// long …
inline constexpr absl::Duration kNetworkSettle = absl::Milliseconds(200);
// … or when it has gone on for this long: a reconnect begins within a second of the first.
inline constexpr absl::Duration kNetworkSettleMax = absl::Milliseconds(800);
// Interfaces whose network's name an agent is told (SetNetwork), and such a name: an SSID has 32
// bytes, a carrier and its APN (at most 100) a few more.
inline constexpr size_t kMaxNamedInterfaces = 16;
inline constexpr size_t kMaxNetworkNameBytes = 128;
// Links, addresses and default routes that an agent keeps in mind; a phone has a dozen.
inline constexpr size_t kMaxNetworkFacts = 1024;
// A session that lived this long was a good one: the next reconnect starts from the base again.
inline constexpr absl::Duration kStableSession = absl::Minutes(1);
// After GoAway(REPLACED): somebody else has this device's key, and taking turns would only cost
// both.
inline constexpr absl::Duration kReplacedWait = absl::Minutes(15);
// The most that a GoAway may ask an agent to stay away: a server's mistake must not silence phones.
inline constexpr absl::Duration kMaxGoAwayWait = absl::Hours(1);
// Separate runs of sequence numbers that an agent remembers having seen. What may still arrive out
// of order is what one device's mailboxes hold; collapsed and expired messages leave holes too,
// which a new login's `settled_seq` closes.
inline constexpr size_t kMaxSeenRanges = 64 * 1024;
// `settled_seq` can't pass a LOW message that waits for an active device, for weeks if need be. An
// agent with so many runs says that it is ACTIVE, whatever it was told: the message comes, and the
// way is free.
inline constexpr size_t kManySeenRanges = kMaxSeenRanges / 2;
// Messages on the phone that one app hasn't taken: 5 MB of disk. Beyond it the oldest are dropped,
// and the app is told by a gap notice.
inline constexpr size_t kMaxInboxMessagesPerApp = 1000;
// Pushes and acknowledgements that share one synced transaction of the inbox.
inline constexpr size_t kMaxInboxBatch = 256;
// AppAcks sent since the last answered heartbeat; at the bound a heartbeat asks whether they
// arrived, and the rest waits for its answer.
inline constexpr size_t kMaxUnconfirmedAppAcks = 2 * kMaxAppAcksPerFrame;
// Apps connected to one agent at a time.
inline constexpr size_t kMaxAppConnections = 512;
// Descriptors that an agent keeps from apps: its connection, its inbox, hooks, timers.
inline constexpr size_t kAgentDescriptorReserve = 64;
// What the kernel keeps for an app that doesn't read (it doubles it), and what is read from an app
// and written to it at a time. With a frame each way this bounds what one connection costs, some 70
// KiB, and all of them together.
inline constexpr size_t kAppSocketBytes = 8 * 1024;
inline constexpr size_t kAppPieceBytes = 4 * 1024;
// Unsent bytes at which an app is closed. It is given nothing more, and asked for nothing more, as
// long as there are any: so only frames that nobody asked for come here.
inline constexpr size_t kMaxAppWriteBytes = 64 * 1024;
// Deliveries to one app that it has not acknowledged; the rest waits in the inbox.
inline constexpr size_t kAppWindowMessages = 64;

// --- Relations that the rest relies on. ---

static_assert(kMaxPayloadBytes + 1024 < kMaxFrameBytes, "a Push must fit in a frame");
static_assert(kMaxFrameBytes <= kSessionWindowBytes, "one frame must fit in the window");
static_assert(kSessionWindowBytes + kMaxNowOrNeverInFlight * kMaxPayloadBytes <
                  kMaxSessionWriteBytes,
              "the window is what bounds the writes");
static_assert(kMaxSendStreamInFlight <= kMinGatewayAppends &&
                  kMaxBatchMessages <= kMinGatewayAppends,
              "one stream or batch alone is never refused");
static_assert(kNowOrNeverWait < kGatewayDrainGrace, "a drain lets every Send end by itself");
static_assert(kMaxSendStreamInFlight < kMaxGatewaySends, "one stream can't fill the gateway");
static_assert(kMaxJwtBytes < kMaxHttpHeadBytes, "a JWT fits in a head");
static_assert(kMaxHttpConnections * kHttpConnectionBytes <= kMaxHttpMemoryBytes / 2,
              "idle connections leave room for requests");
static_assert(kHttpStreamWindowBytes <= kHttpConnectionWindowBytes, "a stream can use its window");
static_assert(kMaxSeenRanges >= kMaxMailboxMessagesPerApp * kMaxAppsPerDevice,
              "an honest server can't make an agent run out of ranges");
static_assert(kMaxPageScan > kMaxPageMessages, "a page can be filled");
static_assert(kSessionWindowMessages < kMaxMailboxMessagesPerApp,
              "a full mailbox holds something that is not on its way to the device");
static_assert(kReportSentAfter < kHandOverGrace,
              "whatever was handed over is acknowledged or reported by the end of the grace");
static_assert(kMaxAppsPerDevice + kMaxDeadRegistrationsPerApp < kMaxRegistrationsPerDevice,
              "a living app always finds a dead one to take the place of");
static_assert(0 < kPauseAtAppAcks && kPauseAtAppAcks < kMaxPendingAppAcks &&
                  kMaxPendingAppAcks <= kMaxAckItems,
              "a paused session fits in one call");
static_assert(kSessionWindowBytes <= kMaxPageBytes, "one page fills a window");
static_assert(kMaxRelayEntries >= kMaxGroupCommitOperations + kMaxSweepEntries,
              "the relay is as fast as what feeds it");
static_assert(kMaxReceiptWait < kRegistryCallTimeout,
              "a wait for receipts ends before its call is given up");
static_assert(kMinGroupCommitOperations < kMaxSharedGroupCommitOperations &&
                  kMaxSharedGroupCommitOperations < kMaxGroupCommitOperations &&
                  kMinSweepEntries < kMaxSweepEntries,
              "a batch and a sweep may be ended early");
static_assert(kMinHintVotes <= kMaxNetworkVotes, "a hint is possible");
static_assert(kMaxReadyHandshakes < kMaxLoginsPerShard && kMaxBindsPerShard < kMaxLoginsPerShard &&
                  kMaxLoginsPerShard < kMaxUnfinishedLogins &&
                  kScarceLoginPause < kScarceLoginTimeout && kScarceLoginTimeout < kLoginTimeout,
              "each bound of logins can be reached");
static_assert(kProbeAckTimeout < kHeartbeatAckTimeout && kMaxHeartbeatDelay < kHeartbeatAckTimeout,
              "a probe finds more than an ordinary beat would");
static_assert(kIdempotencyWindow <= kReceiptRetention, "a retry is answered from the receipts");

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_LIMITS_H_
