internal import Content
internal import FoundationEssentials
public import Model
public import SystemPackage

/// What an earlier build made of stages: kept for each image, to say why a stage is built again.
public struct StageHistory: Sendable, Codable {
  /// The inputs of each stage, by its name.
  public var stages: [String: [StageInput]]

  public init(_ stages: [Stage]) {
    self.stages = Dictionary(
      stages.map { ($0.name, $0.inputs) }, uniquingKeysWith: { first, _ in first })
  }

  private static func file(of image: String, in store: FilePath) -> FilePath {
    store.appending("layers").appending("history").appending(image + ".json")
  }

  /// The history of an image; nil when there is none that can be read.
  public static func read(of image: String, in store: FilePath) -> StageHistory? {
    // It only explains: nothing depends on it.
    guard let bytes = try? contents(of: file(of: image, in: store)) else { return nil }
    return try? JSONDecoder().decode(StageHistory.self, from: Data(bytes))
  }

  public func write(of image: String, in store: FilePath) throws {
    let file = Self.file(of: image, in: store)
    try makeFolder(file.removingLastComponent())
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try writeAtomically(Array(try encoder.encode(self)), to: file)
  }
}

/// Says of stages, one after another, whether a build would take them from the store, and why not.
public struct StageForecast {
  private let store: LayerStore
  private let history: StageHistory?
  private var chain = Chain()
  /// The first stage that is built anew.
  private var changed: String?

  public init(in store: FilePath, history: StageHistory?) {
    self.store = LayerStore(store: store)
    self.history = history
  }

  /// Why the next stage is built anew; nil when its layer is in the store.
  ///
  /// A layer that turns out to be damaged, or a place that looks otherwise in a new root, is only found
  /// by the build.
  public mutating func reason(of stage: Stage) -> String? {
    switch stage.ground {
    case .everything where changed == nil:
      let key = chain.key(of: stage)
      if store.has(key) {
        chain.append(key)
        return nil
      }
    case .everything: break
    case .touched:
      if let key = store.candidates(for: stage.hash).first {
        chain.append(key)
        return nil
      }
    }
    return cause(of: stage)
  }

  /// Why a stage that the store lacks is built; later ones see that it was.
  public mutating func cause(of stage: Stage, isDamaged: Bool = false) -> String {
    let below = changed
    changed = changed ?? stage.name
    if isDamaged { return "its layer in the store was damaged" }
    guard let history else { return "it was not built before" }
    guard let old = history.stages[stage.name] else { return "it is new" }
    if let difference = firstDifference(from: old, to: stage.inputs) { return difference }
    if let below { return "\(below) below it changed" }
    return "its layer is no longer in the store"
  }
}
