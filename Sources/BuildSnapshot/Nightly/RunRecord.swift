internal import FoundationEssentials
internal import Model
internal import Pipeline
internal import Publishing
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// How one run of `build` ended: `STORE/runs/TIME-IMAGE.json`, for those who look in the morning.
///
/// Runs that began in the same second are told apart by a number: `TIME.002-IMAGE.json`.
struct RunRecord: Codable {
  enum Result: String, Codable, CaseIterable {
    case published, unchanged, failed
    case unconfirmed, interrupted
    case refusedQuarantined = "refused-quarantined"

    /// Whether the catalog has what the recipe asks for.
    var isSuccess: Bool { self == .published || self == .unchanged }
  }

  var image: String
  var recipe: String
  var started: Timestamp
  var finished: Timestamp
  var result: Result
  var exitStatus: Int32
  /// Of the current release, when there is one.
  var version: String?
  var sha256: String?
  /// In bytes.
  var allocatedSize: Int?
  /// Milliseconds by phase; a phase that ran twice counts both.
  var phases: [String: Int]
  /// What went wrong, as the user saw it.
  var error: String?

  /// The result that a failure stands for.
  static func result(of error: any Error) -> Result {
    switch error {
    case CatalogFailure.quarantined: .refusedQuarantined
    case CatalogFailure.unconfirmed: .unconfirmed
    case is CancellationError: .interrupted
    default: .failed
    }
  }
}

/// The records of a store.
struct RunRecords {
  /// So many records of an image stay.
  static let kept = 100
  let folder: FilePath

  init(store: FilePath) { folder = store.appending("runs") }

  /// Adds a record, and forgets the oldest.
  func add(_ record: RunRecord) throws {
    let files = FileManager.default
    try files.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    let time = record.started.description.filter { $0 != ":" && $0 != "-" }
    let text: String = json(record)
    var number = 1
    while try !write(text, to: folder.appending(fileName(time, number, record.image))) {
      number += 1
    }
    for name in try names(of: record.image).dropLast(Self.kept) {
      try files.removeItem(atPath: folder.appending(name).string)
    }
  }

  /// The records of an image, oldest first; what does not read is left out.
  func all(of image: String) -> [RunRecord] {
    ((try? names(of: image)) ?? []).compactMap { name in
      guard let bytes = FileManager.default.contents(atPath: folder.appending(name).string)
      else { return nil }
      return try? JSONDecoder().decode(RunRecord.self, from: bytes)
    }
  }

  /// Writes the last runs of every image for Prometheus' node exporter.
  func writeMetrics(to file: FilePath) throws {
    try replaceFile(file, metrics(all()))
  }

  private func all() -> [RunRecord] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    return Set(names.compactMap(image)).sorted().flatMap { all(of: $0) }
  }

  private func names(of image: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.string)
      .filter { self.image(of: $0) == image }.sorted()
  }

  /// Sorts by time: '-' comes before '.'.
  private func fileName(_ time: String, _ number: Int, _ image: String) -> String {
    let digits = String("000\(number)".suffix(max(3, "\(number)".count)))
    return "\(time)\(number == 1 ? "" : ".\(digits)")-\(image).json"
  }

  /// The image that a record's name tells; nil for what is no record.
  private func image(of name: String) -> String? {
    let parts = name.split(separator: "-", maxSplits: 1)
    guard name.hasSuffix(".json"), parts.count == 2, parts[0].count >= 16 else { return nil }
    return String(parts[1].dropLast(5))
  }

  /// Writes a file that is not there yet, all of it or nothing; false when it is there.
  private func write(_ text: String, to file: FilePath) throws -> Bool {
    let temporary = folder.appending(".\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    defer { unlink(temporary.string) }
    try Data(text.utf8).write(to: URL(filePath: temporary.string))
    if link(temporary.string, file.string) == 0 { return true }
    if errno == EEXIST { return false }
    throw Errno(rawValue: errno)
  }
}

/// The last runs in Prometheus' format. An alert: `time() - golden_build_last_success_timestamp_seconds
/// > 36 * 3600`.
func metrics(_ records: [RunRecord]) -> String {
  let byImage = Dictionary(grouping: records) { $0.image }.sorted { $0.key < $1.key }
  var text = ""
  func add(_ name: String, _ help: String, _ value: ([RunRecord]) -> [(String, Int)]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
    for (image, runs) in byImage {
      for (labels, number) in value(runs) {
        text += "\(name){image=\"\(image)\"\(labels)} \(number)\n"
      }
    }
  }
  add("golden_build_last_run_timestamp_seconds", "When the last run ended.") {
    $0.last.map { [("", $0.finished.seconds)] } ?? []
  }
  add(
    "golden_build_last_success_timestamp_seconds",
    "When a run last ended with the image as the recipe wants it."
  ) {
    $0.last { $0.result.isSuccess }.map { [("", $0.finished.seconds)] } ?? []
  }
  add("golden_build_last_result", "How the last run ended: 1 for that result.") { runs in
    RunRecord.Result.allCases.map {
      (",result=\"\($0.rawValue)\"", runs.last?.result == $0 ? 1 : 0)
    }
  }
  add("golden_build_duration_seconds", "How long the last run took.") {
    $0.last.map { [("", $0.finished.seconds - $0.started.seconds)] } ?? []
  }
  add("golden_build_phase_milliseconds", "How long each phase of the last run took.") {
    ($0.last?.phases ?? [:]).sorted { $0.key < $1.key }.map { (",phase=\"\($0.key)\"", $0.value) }
  }
  add("golden_image_allocated_bytes", "Bytes of the current image that hold data.") { runs in
    runs.last { $0.allocatedSize != nil }?.allocatedSize.map { [("", $0)] } ?? []
  }
  return text
}
