internal import Content
public import Model

/// A stage of a build: what decides it, and what it depends on.
public struct Stage: Sendable {
  /// What lies below a stage and decides what it makes.
  public enum Ground: Sendable {
    case everything
    /// Only the places that it touches, and these with the folders above them.
    case touched(with: [String])
  }

  public var name: String
  public var inputs: [StageInput]
  public var ground: Ground

  public init(name: String, inputs: [StageInput], ground: Ground = .everything) {
    self.name = name
    self.inputs = inputs
    self.ground = ground
  }

  /// Hash of its inputs; what the stage is called changes nothing.
  var hash: ContentHash {
    let lines = inputs.map { input in
      [input.name, input.value ?? "", input.identity].map(\.debugDescription).joined(separator: " ")
    }
    return ContentHash(of: lines.joined(separator: "\n"))
  }
}

/// Stands for all layers of a root so far.
struct Chain: Equatable {
  private var hash = ContentHash(of: "layers 1")

  mutating func append(_ key: LayerKey) { hash = ContentHash(of: "\(hash) \(key)") }

  /// The key of the next layer, when it depends on all of these.
  func key(of stage: Stage) -> LayerKey { LayerKey(ContentHash(of: "\(hash) \(stage.hash)")) }
}
