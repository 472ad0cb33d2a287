internal import CCurl
internal import Synchronization

/// One request for one address.
struct WebRequest {
  var address: Address
  /// The first byte that is wanted; others are asked for with `Range`.
  var start = 0
  /// Whether caches on the way shall ask the source.
  var isFresh = false
}

/// The head of an answer.
struct WebHead: Equatable {
  /// 0 for files.
  var status = 0
  /// The place of the body's first byte, when the answer says that it is a part.
  var firstByte: Int?
  /// Bytes of the body, when announced.
  var length: Int?
}

/// How a transfer ended.
enum WebEnd {
  /// With a whole answer, of whatever status.
  case answered(WebHead, retryAfter: Duration?)
  /// No connection came about.
  case unreachable(String)
  /// The connection broke, or nothing came for too long.
  case broken(String)
  /// No use to try again: a missing file, a scheme that is not allowed, too many redirects.
  case hopeless(String, isMissing: Bool)
  /// The receiver threw.
  case refused(any Error)
}

/// Takes the body of a good answer (200, 206, or a file's bytes), piece by piece.
protocol WebReceiver: AnyObject {
  /// - Throws: to end the transfer.
  func receive(_ bytes: UnsafeRawBufferPointer, of head: WebHead) throws
}

/// Wakes a loop that waits, from any thread, also after the loop has gone.
final class WebWaker: Sendable {
  /// The loop's handle as a number, since pointers do not travel between threads; 0 when it is gone.
  private let handle: Mutex<UInt>

  fileprivate init(_ multi: OpaquePointer) { handle = Mutex(UInt(bitPattern: multi)) }

  func wake() {
    handle.withLock { handle in
      guard let multi = UnsafeMutableRawPointer(bitPattern: handle) else { return }
      // Fails only without memory; the loop then turns at the end of its wait.
      _ = curl_multi_wakeup(multi)
    }
  }

  fileprivate func forget() { handle.withLock { $0 = 0 } }
}

/// Many transfers at once on one thread, by libcurl; the only user of libcurl.
final class WebLoop {
  private let multi: UnsafeMutableRawPointer
  private let settings: Fetcher.Settings
  private var transfers: [UnsafeMutableRawPointer: WebTransfer] = [:]
  let waker: WebWaker

  init(_ settings: Fetcher.Settings) throws {
    guard isLibraryReady, let multi = curl_multi_init() else {
      throw FetchFailure.library("no memory")
    }
    self.multi = multi
    self.settings = settings
    waker = WebWaker(OpaquePointer(multi))
  }

  deinit {
    waker.forget()
    for transfer in transfers.values { curl_multi_remove_handle(multi, transfer.easy) }
    transfers = [:]
    curl_multi_cleanup(multi)
  }

  /// Begins a transfer; the receiver is told of its bytes, and `turn` of its end.
  func start(_ request: WebRequest, for receiver: any WebReceiver) throws {
    let transfer = try WebTransfer(request, settings, receiver)
    let code = curl_multi_add_handle(multi, transfer.easy)
    guard code == CURLM_OK else { throw FetchFailure.library(multiReason(code)) }
    transfers[transfer.easy] = transfer
  }

  /// Moves bytes, waits for more at most so long, and tells which transfers have ended.
  func turn(waiting limit: Duration) throws -> [(receiver: any WebReceiver, end: WebEnd)] {
    try perform()
    let ended = takeEnded()
    guard ended.isEmpty else { return ended }
    let code = curl_multi_poll(
      multi, nil, 0, Int32(milliseconds(max(.zero, min(limit, patience)) + .milliseconds(1))), nil)
    guard code == CURLM_OK else { throw FetchFailure.library(multiReason(code)) }
    try perform()
    return takeEnded()
  }

  private func perform() throws {
    var running: Int32 = 0
    let code = curl_multi_perform(multi, &running)
    guard code == CURLM_OK else { throw FetchFailure.library(multiReason(code)) }
  }

  private func takeEnded() -> [(receiver: any WebReceiver, end: WebEnd)] {
    var ended = [(receiver: any WebReceiver, end: WebEnd)]()
    var result = CURLE_OK
    while let easy = ccurl_next_ended(multi, &result) {
      curl_multi_remove_handle(multi, easy)
      guard let transfer = transfers.removeValue(forKey: easy) else { continue }
      ended.append((transfer.receiver, transfer.end(result)))
    }
    let now = ContinuousClock.now
    for (easy, transfer) in transfers where now - transfer.lastSign >= settings.stallLimit {
      curl_multi_remove_handle(multi, easy)
      transfers[easy] = nil
      ended.append((transfer.receiver, .broken("nothing came for \(settings.stallLimit)")))
    }
    return ended
  }

  /// How long until the first transfer counts as stalled.
  private var patience: Duration {
    guard let oldest = transfers.values.map(\.lastSign).min() else { return settings.stallLimit }
    return settings.stallLimit - (ContinuousClock.now - oldest)
  }
}

/// One transfer: libcurl's handle, and what its callbacks need.
private final class WebTransfer {
  let easy: UnsafeMutableRawPointer
  let receiver: any WebReceiver
  /// When the last byte of head or body came, or the transfer began.
  private(set) var lastSign = ContinuousClock.now
  private var head = WebHead()
  private var refusal: (any Error)?
  /// Bytes of a body that nobody wants: the text of an error.
  private var unwanted = 0
  private var headers: UnsafeMutablePointer<curl_slist>?
  /// What went wrong, in libcurl's words.
  private let reason = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

  init(
    _ request: WebRequest, _ settings: Fetcher.Settings, _ receiver: any WebReceiver
  ) throws {
    guard let easy = curl_easy_init() else { throw FetchFailure.library("no memory") }
    self.easy = easy
    self.receiver = receiver
    reason.pointee = 0
    try configure(request, settings)
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_slist_free_all(headers)
    reason.deallocate()
  }

  private func configure(_ request: WebRequest, _ settings: Fetcher.Settings) throws {
    let context = Unmanaged.passUnretained(self).toOpaque()
    try set(ccurl_set_text(easy, CURLOPT_URL, request.address.url))
    try set(ccurl_set_protocols(easy, request.address.scheme == "https" ? 1 : 0))
    try set(ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, reason))
    try set(ccurl_set_number(easy, CURLOPT_NOSIGNAL, 1))
    try set(ccurl_set_number(easy, CURLOPT_FOLLOWLOCATION, 1))
    try set(ccurl_set_number(easy, CURLOPT_MAXREDIRS, 8))
    try set(ccurl_set_number(easy, CURLOPT_BUFFERSIZE, 256 << 10))
    try set(
      ccurl_set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings.connectLimit)))
    try set(ccurl_set_text(easy, CURLOPT_USERAGENT, settings.userAgent))
    if let file = settings.certificates {
      try set(ccurl_set_text(easy, CURLOPT_CAINFO, file))
    }
    switch settings.proxies.choice(for: request.address) {
    case .environment: break
    case .direct: try set(ccurl_set_text(easy, CURLOPT_PROXY, ""))
    case .proxy(let url): try set(ccurl_set_text(easy, CURLOPT_PROXY, url))
    }
    if request.start > 0 { try set(ccurl_set_text(easy, CURLOPT_RANGE, "\(request.start)-")) }
    if request.isFresh {
      headers = curl_slist_append(nil, "Cache-Control: no-cache")
      try set(ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, headers))
    }
    ccurl_end_quickly(easy)
    try set(
      ccurl_on_header(
        easy,
        { bytes, size, count, context in
          guard let bytes, let context else { return 0 }
          let transfer = Unmanaged<WebTransfer>.fromOpaque(context).takeUnretainedValue()
          transfer.readHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
          return size * count
        }, context))
    try set(
      ccurl_on_body(
        easy,
        { bytes, size, count, context in
          guard let bytes, let context else { return 0 }
          let transfer = Unmanaged<WebTransfer>.fromOpaque(context).takeUnretainedValue()
          let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
          return transfer.takeBody(piece) ? size * count : size * count &+ 1
        }, context))
  }

  private func set(_ code: CURLcode) throws {
    guard code == CURLE_OK else {
      throw FetchFailure.library(String(cString: curl_easy_strerror(code)))
    }
  }

  private func readHeader(_ bytes: UnsafeRawBufferPointer) {
    lastSign = .now
    let line = String(decoding: bytes, as: UTF8.self).lowercased()
    if line.hasPrefix("http/") { head = WebHead() }
    if line.hasPrefix("content-range:") {
      let words = line.dropFirst(14).split { " \r\n-/".contains($0) }
      if words.count > 1, words[0] == "bytes" { head.firstByte = Int(words[1]) }
    }
  }

  private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    lastSign = .now
    completeHead()
    guard head.isGood else {
      unwanted += bytes.count
      return unwanted <= 64 << 10
    }
    do {
      try receiver.receive(bytes, of: head)
      return true
    } catch {
      refusal = error
      return false
    }
  }

  private func completeHead() {
    head.status = ccurl_status(easy)
    let length = Int(ccurl_length(easy))
    head.length = length < 0 ? nil : length
  }

  func end(_ code: CURLcode) -> WebEnd {
    if let refusal { return .refused(refusal) }
    completeHead()
    if code == CURLE_OK || unwanted > 0 {
      let seconds = Int(ccurl_retry_after(easy))
      return .answered(head, retryAfter: seconds > 0 ? .seconds(seconds) : nil)
    }
    let own = String(cString: reason)
    let text = own.isEmpty ? String(cString: curl_easy_strerror(code)) : own
    switch code {
    case CURLE_FILE_COULDNT_READ_FILE: return .hopeless("no such file", isMissing: true)
    case CURLE_UNSUPPORTED_PROTOCOL where 300..<400 ~= head.status:
      return .hopeless("it redirects to where it must not: \(text)", isMissing: false)
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_TOO_MANY_REDIRECTS,
      CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE:
      return .hopeless(text, isMissing: false)
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT:
      return .unreachable(text)
    case CURLE_OPERATION_TIMEDOUT where head.status == 0: return .unreachable(text)
    default: return .broken(text)
    }
  }
}

extension WebHead {
  var isGood: Bool { status == 200 || status == 206 || status == 0 }
}

/// libcurl's start, once in a process.
private let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

private func multiReason(_ code: CURLMcode) -> String { String(cString: curl_multi_strerror(code)) }

private func milliseconds(_ duration: Duration) -> Int {
  Int(duration / .milliseconds(1))
}
