internal import Content
public import Model

/// When and as what a build ran: what only its attestation tells, since it differs between builds of
/// equal inputs.
public struct BuildRun: Sendable, Equatable {
  /// Names the run in its own system.
  public var id: String
  public var started: Timestamp
  public var finished: Timestamp
  /// Options of the command line that bear on the result.
  public var options: [String: String]

  public init(id: String, started: Timestamp, finished: Timestamp, options: [String: String] = [:])
  {
    self.id = id
    self.started = started
    self.finished = finished
    self.options = options
  }
}

/// A statement about files, in in-toto's form; it is signed inside an `Envelope`.
///
/// Source: the in-toto attestation framework, "Statement v1".
struct Statement<Predicate: Encodable>: Encodable {
  struct Subject: Encodable {
    var name: String
    var digest: [String: String]
  }

  var type = "https://in-toto.io/Statement/v1"
  var subject: [Subject]
  var predicateType: String
  var predicate: Predicate

  private enum CodingKeys: String, CodingKey {
    case type = "_type"
    case subject, predicateType, predicate
  }

  /// About a release: its image file and its manifest.
  init(about release: Release, predicateType: String, _ predicate: Predicate) {
    subject = [
      Subject(
        name: release.manifest.disk.file, digest: ["sha256": release.manifest.disk.sha256.hex]),
      Subject(name: Manifest.fileName, digest: ["sha256": release.manifestHash.hex]),
    ]
    self.predicateType = predicateType
    self.predicate = predicate
  }
}

/// How a release was made. Source: SLSA, "Provenance v1".
struct Provenance: Encodable {
  static let predicateType = "https://slsa.dev/provenance/v1"

  struct Resource: Encodable {
    var name: String?
    var uri: String?
    var digest: [String: String]
  }
  struct Definition: Encodable {
    var buildType: String
    var externalParameters: [String: String]
    var internalParameters: [String: String]
    var resolvedDependencies: [Resource]
  }
  struct Builder: Encodable {
    var id: String
    var version: [String: String]
  }
  struct Metadata: Encodable {
    var invocationId: String
    var startedOn: Timestamp
    var finishedOn: Timestamp
  }
  struct Details: Encodable {
    var builder: Builder
    var metadata: Metadata
  }

  var buildDefinition: Definition
  var runDetails: Details

  init(of manifest: Manifest, _ run: BuildRun) {
    let inputs = manifest.inputs
    func digest(_ hash: ContentHash) -> [String: String] { ["sha256": hash.hex] }
    let sources =
      [
        Resource(name: inputs.recipe.file ?? "recipe", digest: digest(inputs.recipe.sha256)),
        Resource(name: inputs.lock.file ?? "lock", digest: digest(inputs.lock.sha256)),
      ]
      + inputs.repositories.map {
        Resource(name: "\($0.suite)/InRelease", digest: digest($0.inReleaseSha256))
      }
    buildDefinition = Definition(
      buildType: "urn:golden.image:build:v1",
      externalParameters: run.options.merging(
        ["image": manifest.image.name, "recipe": inputs.recipe.file ?? ""]
      ) { $1 },
      internalParameters: [
        "buildId": inputs.buildId.hex,
        "sourceDateEpoch": "\(manifest.reproducibility.sourceDateEpoch)",
      ],
      resolvedDependencies: sources
        + inputs.packages.map { Resource(name: $0.name, uri: $0.purl, digest: digest($0.sha256)) })
    let builder = manifest.builder
    runDetails = Details(
      builder: Builder(
        id: "urn:golden.image:builder:\(builder.name)",
        version: (builder.components ?? [:]).merging([builder.name: builder.version]) { $1 }),
      metadata: Metadata(
        invocationId: run.id, startedOn: run.started, finishedOn: run.finished))
  }
}

/// What the checks of a release found. Source: the in-toto predicate "Test Result v0.1".
struct TestResult: Encodable {
  static let predicateType = "https://in-toto.io/attestation/test-result/v0.1"

  var result: String
  var configuration: [Provenance.Resource]
  var passedTests: [String]
  var warnedTests: [String]
  var failedTests: [String]

  init(of manifest: Manifest) {
    func ids(_ result: Manifest.Check.Result) -> [String] {
      manifest.checks.filter { $0.result == result }.map(\.id)
    }
    passedTests = ids(.passed)
    warnedTests = ids(.warned)
    failedTests = ids(.failed)
    result = !failedTests.isEmpty ? "FAILED" : warnedTests.isEmpty ? "PASSED" : "WARNED"
    configuration = [
      Provenance.Resource(
        name: manifest.inputs.recipe.file ?? "recipe",
        digest: ["sha256": manifest.inputs.recipe.sha256.hex])
    ]
  }
}

/// The signed statements that go with a release.
enum Attestations {
  static let mediaType = "application/vnd.in-toto+json"

  /// What the manifest says about them.
  static func entries(hasRun: Bool) -> [Manifest.Attestation] {
    let checks = Manifest.Attestation(
      role: "checks", predicateType: TestResult.predicateType, file: "checks.dsse.json")
    let provenance = Manifest.Attestation(
      role: "provenance", predicateType: Provenance.predicateType, file: "provenance.dsse.json")
    return hasRun ? [checks, provenance] : [checks]
  }

  /// File names and statements as JSON.
  static func statements(
    about release: Release, _ run: BuildRun?
  ) throws -> [(name: String, statement: [UInt8])] {
    let manifest = release.manifest
    var statements = [
      (
        name: "checks.dsse.json",
        statement: try json(
          Statement(
            about: release, predicateType: TestResult.predicateType, TestResult(of: manifest)))
      )
    ]
    if let run {
      statements.append(
        (
          name: "provenance.dsse.json",
          statement: try json(
            Statement(
              about: release, predicateType: Provenance.predicateType,
              Provenance(of: manifest, run)))
        ))
    }
    return statements
  }
}
