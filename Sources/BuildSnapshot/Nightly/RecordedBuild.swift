internal import FoundationEssentials
internal import Model
internal import Pipeline
internal import Publishing
internal import SystemPackage

/// Builds, and leaves a record of how it ended in the store.
///
/// A recipe with faults names no image and a store that is not there yet holds none: neither gets a
/// record. That a record cannot be written does not change how the build ended.
func recordedBuild(
  _ request: BuildRequest, metrics: FilePath?, progress: Progress
) async throws -> BuildResult {
  let started = present()
  do {
    let result = try await build(request, events: progress.sink)
    guard request.publishes else { return result }
    record(request, metrics, progress, started) { record in
      switch result.outcome {
      case .published(let version): (record.result, record.version) = (.published, version)
      case .unchanged(let version): (record.result, record.version) = (.unchanged, version)
      case .made: return
      }
      record.sha256 = result.image.sha256.hex
      record.allocatedSize = result.image.allocatedSize
    }
    return result
  } catch {
    if request.publishes {
      record(request, metrics, progress, started) { record in
        record.result = RunRecord.result(of: error)
        record.exitStatus = FailureKind(of: error).exitStatus
        record.error = "\(error)"
      }
    }
    throw error
  }
}

private func record(
  _ request: BuildRequest, _ metrics: FilePath?, _ progress: Progress, _ started: Timestamp,
  _ fill: (inout RunRecord) -> Void
) {
  do {
    let recipe = try request.source.read()
    guard FileManager.default.fileExists(atPath: request.store.string) else { return }
    var record = RunRecord(
      image: recipe.image.name, recipe: request.source.file, started: started,
      finished: present(), result: .failed, exitStatus: 0, phases: progress.milliseconds)
    fill(&record)
    let records = RunRecords(store: request.store)
    try records.add(record)
    if let metrics { try records.writeMetrics(to: metrics) }
  } catch is FaultyRecipe {
    return  // it names no image
  } catch {
    progress.sink(.note("no record of this run: \(error)"))
  }
}
