internal import Model
public import SystemPackage

/// A folder that holds what one stage of a build adds to those below it: the upper folder of an overlay.
public struct Layer: Sendable {
  /// The stage that made it.
  public let name: String
  /// Says what it is made of; equal keys, equal contents.
  public let key: LayerKey
  /// The folder that is laid over others.
  public let tree: FilePath
  /// Held while the layer is used; nil for one that is nobody else's.
  let lease: LayerLease?
}

/// The name of a layer in the store.
public struct LayerKey: Sendable, Hashable, CustomStringConvertible {
  public let description: String

  /// Of a layer that depends on all that lies below it, which `inputs` stands for, too.
  init(_ inputs: ContentHash) { description = String(inputs.hex.prefix(40)) }

  /// Of a layer that depends on the few places below it that it touches.
  init(_ inputs: ContentHash, touching footprint: ContentHash) {
    description = Self.prefix(inputs) + footprint.hex.prefix(8)
  }

  /// What the names of all layers begin with that were made of the same inputs in other places.
  static func prefix(_ inputs: ContentHash) -> String { inputs.hex.prefix(31) + "-" }

  init?(_ name: String) {
    guard name.count == 40, name.allSatisfy({ $0.isHexDigit || $0 == "-" }) else { return nil }
    description = name
  }
}

/// What the store keeps beside a layer's tree.
struct LayerRecord: Codable, Sendable {
  static let currentFormat = 1

  var format = LayerRecord.currentFormat
  /// The stage's name.
  var name: String
  /// What the stage was made of.
  var inputs: [StageInput]
  /// Hash of what the file system says of the tree.
  var seal: String
  /// Bytes on the disk.
  var size: Int
  /// The machine's boot during which it was written: until it is known to be on the disk, it counts
  /// only while that lasts.
  var boot: String
  /// What was at the places that it touches when it was made; nil when all below it counts.
  var footprint: [Footprint.Place]?
}
