#pragma once

// Every bound of the product, in one place. What a deployment may change is an option whose default stands
// here.

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace spillway::limits {

// Threads
inline constexpr std::size_t kMaxHttpThreads = 64;
inline constexpr std::size_t kMaxLoops = kMaxHttpThreads + 8;  ///< http threads, workers, tools

// HTTP
inline constexpr std::size_t kMaxConnections = 20'000;     ///< per process; past it: 503 and close
inline constexpr std::size_t kMaxHeaderBytes = 16 * 1024;  ///< request line and fields; past it: 431
inline constexpr std::size_t kMaxBodyBytes = 64 * 1024;    ///< unless the route says otherwise; past it: 413
inline constexpr std::size_t kMaxTargetBytes = 8 * 1024;
inline constexpr std::size_t kMaxPipelined =
    128;  ///< requests of one connection in the works; past it we stop reading
inline constexpr std::size_t kMaxOutputBytes =
    1024 * 1024;  ///< unsent bytes of one connection; past it we stop reading
inline constexpr std::size_t kMaxStreamBacklogBytes =
    64 * 1024;  ///< unsent bytes of one event stream; past it: closed
inline constexpr Micros kHeaderTimeout =
    10 * kSecond;                                     ///< from the first byte of a request to its last header
inline constexpr Micros kBodyTimeout = 30 * kSecond;  ///< from the last header to the last byte of the body
inline constexpr Micros kIdleTimeout = 60 * kSecond;  ///< between requests
inline constexpr Micros kWriteTimeout = 30 * kSecond;  ///< for a peer that does not read
inline constexpr Micros kTlsHandshakeTimeout = 10 * kSecond;
inline constexpr Micros kStreamPing = 15 * kSecond;    ///< a comment line on a silent event stream
inline constexpr Micros kDrainTimeout = 10 * kSecond;  ///< from SIGTERM to the end
inline constexpr std::size_t kMaxJsonDepth = 16;
inline constexpr std::size_t kMaxHeaderFields = 100;  ///< of one request; past it: 431
inline constexpr std::size_t kMaxPathSegments = 32;   ///< past it: 404
inline constexpr std::size_t kMaxPathParameters = 8;  ///< of one route
inline constexpr std::size_t kMaxChunkExtensionBytes =
    4 * 1024;  ///< of one chunked body, together; past it: 400
/// Of one connection, in the kernel, not read yet; past it TCP holds the peer back (docs/adr/0020). As
/// much as Linux grants unless its net.core.rmem_max was changed.
inline constexpr int kSocketReceiveBytes = 208 * 1024;
inline constexpr std::size_t kReadBytes = 64 * 1024;  ///< read from one connection at a time
inline constexpr std::size_t kReceiveBuffers = 512;   ///< of an http thread with io_uring; a power of two
inline constexpr std::size_t kReceiveBufferBytes = 4096;
inline constexpr std::size_t kKeptFiles =
    128 * 1024;                                   ///< descriptors that io_uring keeps at hand; 1 MiB a thread
inline constexpr std::size_t kMaxRefusing = 128;  ///< connections past kMaxConnections that are told why
inline constexpr Micros kLingerTimeout = 2 * kSecond;  ///< for a peer that still sends after the last answer
inline constexpr std::size_t kMaxForwardedHops = 32;   ///< elements of X-Forwarded-For that are looked at
inline constexpr std::size_t kMaxTrustedProxies = 100;
inline constexpr std::size_t kRateTableEntries = 131'072;  ///< counted apart by one limit: 64 bytes each
inline constexpr std::uint32_t kMaxRateQuota = 10'000'000;
inline constexpr Micros kMaxRateWindow = 24LL * 3600 * kSecond;
inline constexpr std::size_t kMaxStaticFileBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxStaticBytes = 256 * 1024 * 1024;  ///< all static files together

// Calls to others over HTTP, of one client
inline constexpr std::size_t kHttpCallsRunning = 64;
inline constexpr std::size_t kHttpCallsWaiting = 1'024;  ///< past it: refused at once
inline constexpr Micros kHttpCallWait = 30 * kSecond;    ///< of a call for another one to end
inline constexpr Micros kHttpCallTimeout = 10 * kSecond;
inline constexpr Micros kHttpConnectTimeout = 5 * kSecond;  ///< look-up, connection, TLS; within the former
inline constexpr std::size_t kHttpUrlBytes = 2 * 1024;
inline constexpr std::size_t kHttpRequestBytes = 64 * 1024;
inline constexpr std::size_t kHttpAnswerBytes = 64 * 1024;
inline constexpr std::size_t kHttpAnswerHeaderBytes = 16 * 1024;

// State thread and journal
inline constexpr std::size_t kInboxTasks = 65'536;          ///< tasks not yet finished; past it: 503
inline constexpr std::size_t kMaxGroupBytes = 1024 * 1024;  ///< events of one commit
inline constexpr std::size_t kMaxRecordBytes = 128 * 1024;
inline constexpr Micros kLongestGathering = kMillisecond;  ///< of a group, while processor time is short
inline constexpr std::size_t kMostGathered = 1'024;        ///< tasks that it waits for
inline constexpr std::size_t kJournalBlockBytes = 4096;
inline constexpr std::size_t kSegmentBytes = 64 * 1024 * 1024;
inline constexpr std::size_t kSnapshotEveryBytes =
    256 * 1024 * 1024;                                  ///< closed segments since the last snapshot
inline constexpr std::size_t kPacedBytes = 256 * 1024;  ///< of the disk's time, for work that can wait
inline constexpr Micros kPaceWork = kMillisecond;       ///< in one go, of work that can wait
inline constexpr Micros kMaxPaceRest = kSecond;
inline constexpr std::size_t kMaxTurnBytes = 1024 * 1024;    ///< records of one task or tick
inline constexpr Micros kStorageRetry = 200 * kMillisecond;  ///< how often a full disk is looked at again
inline constexpr Micros kTick = 20 * kMillisecond;           ///< how exact the state thread's timers are

// intake
inline constexpr std::size_t kMaxIdBytes = 128;
inline constexpr std::size_t kMaxTitleBytes = 256;
inline constexpr std::size_t kMaxParticipationBodyBytes = 4 * 1024;
inline constexpr std::size_t kMaxEventsInMetrics = 1'000;  ///< label values of capacity_remaining
inline constexpr std::size_t kWorkerBatch = 256;           ///< deliveries a worker asks for at once
inline constexpr std::size_t kMaxWorkers = 1'000;
inline constexpr Micros kVisibility = 30 * kSecond;
inline constexpr Micros kReceivePacing =
    2 * kMillisecond;                                 ///< between deliveries while people pour in: batches
inline constexpr std::size_t kMaxDuePerTick = 2'000;  ///< expiries and retirements decided by one tick
inline constexpr std::uint64_t kMaxCapacity = 1'000'000'000;
inline constexpr std::size_t kMaxEvents = 100'000;
inline constexpr std::size_t kMaxRequests = 50'000'000;  ///< kept at once; past it: 503
inline constexpr std::size_t kMaxWaiting = 200'000;      ///< held reads and streams; past it: 503
inline constexpr Micros kMaxWait = 30 * kSecond;         ///< `?wait=`
inline constexpr std::size_t kMaxPage = 1'000;
inline constexpr std::size_t kMaxPageScan = 20'000;   ///< requests looked at for one page
inline constexpr std::size_t kMaxSearchScan = 1'000;  ///< events looked at in one turn of a search by user
inline constexpr Micros kLongPoll = 20 * kSecond;
inline constexpr std::size_t kMaxReceive = 1'000;             ///< deliveries of one receive
inline constexpr std::size_t kMaxFinishedPerReceive = 2'000;  ///< refusals decided by one receive
inline constexpr std::size_t kMaxReasonBytes = 256;
inline constexpr Micros kRetention = 24LL * 3600 * kSecond;
inline constexpr std::size_t kMaxKeptBodyBytes =
    1024UL * 1024 * 1024;  ///< bodies of all kept requests; past it: 503
inline constexpr Micros kMaxVisibility = 12LL * 3600 * kSecond;  ///< of one receive or extend
inline constexpr Micros kMaxRetryDelay = 3600 * kSecond;         ///< backoff before the next try
inline constexpr std::size_t kMaxItemsPerRecord = 4'096;   ///< requests changed by one record of the journal
inline constexpr std::size_t kMaxReasonedPerRecord = 256;  ///< the same where each may carry a reason
inline constexpr std::size_t kMaxAttemptsKept = 100;       ///< of one request, over its redrives: the newest
inline constexpr std::size_t kMaxRedrivesKept = 20;        ///< of one request, told in its log: the newest
inline constexpr std::size_t kMaxNamedRequests = 1'000;    ///< named in one redrive or discard
inline constexpr std::size_t kMaxDiscard = 10'000;         ///< discarded by one call
inline constexpr std::size_t kMaxDiscardReasonBytes = 500;
inline constexpr std::size_t kRedriveSample = 20;          ///< requests that a dry run names
inline constexpr std::size_t kMaxRedriveScan = 10'000;     ///< dead letters looked at by one tick
inline constexpr std::uint32_t kMaxRedriveRate = 100'000;  ///< a second
inline constexpr std::uint32_t kRedriveRate = 100;         ///< a second, when nothing is said
inline constexpr std::uint32_t kRedriveStopAfter = 10;     ///< failures, when nothing is said
inline constexpr std::size_t kMaxWorkConcurrency = 256;    ///< calls of the http worker at once
inline constexpr std::size_t kWorkConcurrency = 16;
inline constexpr Micros kWorkTimeout = 10 * kSecond;           ///< of one call
inline constexpr std::size_t kMaxWorkAnswerBytes = 16 * 1024;  ///< of the backend
inline constexpr std::size_t kMaxWorkCodeBytes = 64;           ///< its resultCode
inline constexpr std::size_t kMaxCallReasonBytes = 160;        ///< of a call that failed, as it is told
inline constexpr std::size_t kMaxWorkReasonBytes = 160;        ///< its reason; what is told with it fits too
inline constexpr std::uint32_t kBreakerFailures = 10;          ///< in a row: the circuit opens
inline constexpr Micros kBreakerOpen = 5 * kSecond;            ///< at first; doubled by each failed probe ...
inline constexpr Micros kMaxBreakerOpen = 60 * kSecond;        ///< ... up to this
inline constexpr std::size_t kMinSecretBytes = 32;             ///< of a secret that signs calls
inline constexpr std::size_t kMaxSecretFileBytes = 4 * 1024;
inline constexpr std::size_t kMaxWebhooksKept =
    100'000;  ///< told or given up, for the log; pending: as requests
inline constexpr std::size_t kWebhookConcurrency = 64;  ///< calls at once
inline constexpr std::size_t kWebhooksPerReceiver = 8;  ///< of them to one URL
inline constexpr std::size_t kMaxWebhookScan = 200;     ///< receivers looked at by one search for what is due
inline constexpr std::size_t kMaxWebhookReceivers = 10'000;  ///< whose failures are remembered
inline constexpr std::size_t kMaxWebhookPutBack = 10'000;    ///< put back by one call
inline constexpr std::size_t kMaxWebhookSecrets = 100;
inline constexpr std::size_t kMaxWebhookSecretsFileBytes = 64 * 1024;
inline constexpr std::size_t kMaxWebhookAnswerBytes = 16 * 1024;  ///< of a receiver; nobody reads it
inline constexpr Micros kWebhookTimeout = 10 * kSecond;           ///< of one call
inline constexpr std::uint32_t kWebhookAttempts =
    20;  ///< then it is given up: after some five hours of trying
inline constexpr std::uint32_t kMaxWebhookAttempts = 1'000;
inline constexpr Micros kWebhookBackoff = 5 * kSecond;  ///< at most, before the second; doubled each time
inline constexpr Micros kMaxWebhookBackoff = 3600 * kSecond;
inline constexpr Micros kWebhookMaxAge =
    3LL * 24 * 3600 * kSecond;                      ///< given up when it could not be told so long
inline constexpr std::size_t kMaxRankScan = 1'000;  ///< how far the position of a redriven request is told

// waitroom
inline constexpr std::uint64_t kDefaultMaxActive = 50'000;     ///< READY and ACTIVE of a concert
inline constexpr std::uint64_t kMaxMaxActive = 1'000'000'000;  ///< what may be asked for
inline constexpr Micros kDefaultReady = 60 * kSecond;          ///< to activate in
inline constexpr Micros kDefaultActive = 300 * kSecond;
inline constexpr Micros kMaxReady = 24LL * 3600 * kSecond;
inline constexpr Micros kMaxActive = 24LL * 3600 * kSecond;
inline constexpr std::uint32_t kMaxAdmitRate = 1'000'000;         ///< a second
inline constexpr Micros kAdmitBurst = 50 * kMillisecond;          ///< of the rate, saved up at most
inline constexpr std::size_t kMaxConcerts = 100'000;              ///< ever kept at once; past it: 503
inline constexpr std::size_t kMaxUnconfiguredConcerts = 1'000;    ///< that nobody configured; past it: 503
inline constexpr std::size_t kMaxTickets = 20'000'000;            ///< kept at once; past it: 503
inline constexpr std::uint32_t kMaxTicketNumber = 4'000'000'000;  ///< of one concert
inline constexpr Micros kAbsentAfter = 60 * kSecond;              ///< without a poll: passed over
inline constexpr Micros kQueueTokenLife = 7LL * 24 * 3600 * kSecond;  ///< from entering on
inline constexpr Micros kGoneKept = 600 * kSecond;        ///< a ticket that is gone can still say why
inline constexpr std::size_t kMaxAdmitPerTurn = 2'000;    ///< people let in by one turn
inline constexpr std::size_t kMaxPassedOver = 10'000;     ///< absent people passed over by one turn
inline constexpr std::size_t kMaxExpiredPerTurn = 2'000;  ///< deadlines carried out by one turn
inline constexpr std::size_t kMaxLookedAfter = 5'000;     ///< waiting people looked after by one tick
inline constexpr std::size_t kMaxForgottenPerTurn = 8;    ///< chunks of gone tickets forgotten by one turn
inline constexpr std::size_t kDrawPerTick = 5'000;        ///< scores of a draw computed by one tick
inline constexpr std::size_t kMaxConcertLabels = 1'000;   ///< in metrics; the rest share one
inline constexpr Micros kPollNear = kSecond;              ///< pollAfterMs at the head of the line
inline constexpr Micros kPollFar = 15 * kSecond;          ///< and far from it
inline constexpr std::uint64_t kPollFarAhead = 10'000;    ///< this many ahead are far
inline constexpr std::size_t kMaxQueueKeys = 255;         ///< ever, of one deployment
inline constexpr std::size_t kMaxQueueTokenBytes = 512;
inline constexpr std::size_t kMaxReturnBytes =
    2'048;  ///< of the address a visitor is sent back to; past it: none
inline constexpr std::size_t kMaxQueueListeners = 100'000;  ///< streams; past it: 503
inline constexpr Micros kQueueStreamEvery = kSecond;        ///< each listener is looked at this often
inline constexpr std::size_t kQueueStreamPhases = 10;       ///< not all of them at once
inline constexpr std::size_t kMaxLooksPerTask = 500;        ///< listeners looked up by one task
inline constexpr int kQueueStreamRetryMs = 3'000;           ///< told to whoever loses the stream
inline constexpr std::size_t kLiveConcerts = 16;            ///< whose last minutes are kept, second by second
inline constexpr std::size_t kMaxConcertListeners = 50;     ///< operators who watch one of them; past it: 503
inline constexpr std::uint32_t kLiveConcertsLookedAt = 200;  ///< a second, for which are the busiest

// ops
inline constexpr std::size_t kMaxAuditEntries = 100'000;       ///< the newest are kept
inline constexpr std::size_t kMaxAuditValueBytes = 2 * 1024;   ///< of "before" and of "after"; past it: cut
inline constexpr std::size_t kMaxAuditScan = 10'000;           ///< entries looked at for one page
inline constexpr std::size_t kLivePoints = 900;                ///< of the live series, one a second
inline constexpr std::size_t kMaxLiveListeners = 100;          ///< past it: 503
inline constexpr std::size_t kLivePieceBytes = 24 * 1024;      ///< of a history sent at once; 2 fit a backlog
inline constexpr Micros kLivePieceEvery = 250 * kMillisecond;  ///< between those pieces
inline constexpr Micros kLiveTokenCheckEvery = 10 * kSecond;   ///< whether a listener's token is still good

// identity
inline constexpr Micros kHeldTokenCheckEvery = 10 * kSecond;  ///< whether who waits for an answer still may
inline constexpr std::size_t kMaxAccounts = 100'000;          ///< past it: 503
inline constexpr std::size_t kMaxRevokedTokens = 500'000;   ///< logged out and not expired yet; past it: 503
inline constexpr std::size_t kMaxSignedOutUsers = 100'000;  ///< without an account; past it: 503
inline constexpr Micros kMaxTokenAge =
    24LL * 3600 * kSecond;  ///< tokens older than this are refused, and revocations forgotten
inline constexpr std::size_t kMinPasswordBytes = 8;  ///< of a new one
inline constexpr std::size_t kMaxPasswordBytes = 256;
inline constexpr std::size_t kMaxPasswordThreads = 8;  ///< each needs 19 MiB while it hashes
inline constexpr std::size_t kMaxPasswordQueue = 256;  ///< logins that wait for such a thread; past it: 503
inline constexpr std::size_t kMaxThrottleEntries = 100'000;  ///< of each kind: the longest unused goes first
inline constexpr std::size_t kMaxKnownAddresses = 8;         ///< of one account: where it logged in last
inline constexpr std::size_t kMaxOutsideTokenBytes = 8 * 1024;  ///< of an OpenID provider; past it: 401
inline constexpr std::size_t kMaxSubjectBytes = 255;            ///< its `sub`, as OpenID Connect has it
inline constexpr std::size_t kMaxKeyIdBytes = 256;
inline constexpr std::size_t kMaxAudiences = 64;      ///< of one token
inline constexpr std::size_t kMaxRoleValues = 1'024;  ///< of one token's claim of roles
inline constexpr std::size_t kMaxJwksBytes = 256 * 1024;
inline constexpr std::size_t kMaxDiscoveryBytes = 64 * 1024;
inline constexpr std::size_t kMaxJwksKeys = 64;
inline constexpr std::size_t kMinRsaBits = 2048;
inline constexpr std::size_t kMaxRsaBits = 8192;         ///< what checking one signature may cost
inline constexpr Micros kOidcLeeway = 10 * kSecond;      ///< between the issuer's clock and ours
inline constexpr Micros kOidcRefresh = 600 * kSecond;    ///< how often an issuer's keys are fetched
inline constexpr Micros kOidcRefreshGap = 10 * kSecond;  ///< between two fetches that unknown key ids ask for
inline constexpr Micros kOidcFirstRetry = kSecond;       ///< after a fetch that failed; doubled each time
inline constexpr Micros kOidcLastRetry = 60 * kSecond;
inline constexpr Micros kOidcKeysMaxAge =
    24LL * 3600 * kSecond;  ///< since the last fetch that succeeded; past it the keys count no longer
inline constexpr std::size_t kMaxVerifiedTokens = 65'536;  ///< remembered, so as to check each signature once

// cli: the operators' commands
inline constexpr std::size_t kMaxListed = 100'000;           ///< items that one command lists
inline constexpr std::size_t kMaxTokenFileBytes = 8 * 1024;  ///< a token of an outside issuer is a few KiB
inline constexpr std::size_t kCliAnswerBytes = 64UL * 1024 * 1024;  ///< of one answer
inline constexpr Micros kCliCallTimeout = 60 * kSecond;
inline constexpr Micros kCliStreamSilence = 30 * kSecond;         ///< a stream without a byte is broken
inline constexpr std::size_t kCliStreamEventBytes = 1024 * 1024;  ///< of one event of a stream
inline constexpr Micros kCliRedrivePoll = kSecond;                ///< between two looks at a redrive

}  // namespace spillway::limits
