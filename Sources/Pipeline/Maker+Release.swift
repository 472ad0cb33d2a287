internal import Content
internal import Imaging
internal import Model
internal import Publishing
internal import Resolving
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

extension Maker {
  /// Publishes a finished image, or puts it where the request wants it.
  func release(
    _ staging: Staging, _ disk: CheckedDisk, in catalog: Catalog
  ) throws -> BuildResult {
    let (recipe, image) = (inputs.recipe, disk.image)
    if let output = request.output { try copySparse(staging.disk, to: output) }
    guard request.publishes else {
      guard let output = request.output else { throw Defect(description: "no place for the image") }
      return BuildResult(outcome: .made, name: recipe.image.name, path: output, image: image)
    }
    events(.began(.publish, total: nil, unit: .items))
    var draft = draftManifest(
      of: inputs, image: image, facts: disk.facts, system: disk.holdings.system,
      packages: disk.holdings.packages, program: request.program)
    draft.checks = disk.verdict.checks
    if draft.clis.isEmpty { draft.clis = declaredPrograms(of: inputs) }
    draft.disk.downloads = disk.download.map { [$0] }
    try addDocuments(to: staging, disk.verdict.files, draft)
    try Task.checkCancellation()
    let finished = Timestamp(seconds: Int(time(nil)))
    let published = try catalog.publish(
      staging, draft, at: finished, version: version, expires: recipe.publish.expires,
      run: BuildRun(
        id: "urn:golden.image:run:\(started)-\(getpid())", started: started, finished: finished,
        options: options))
    events(.ended(.publish))
    let isNew = if case .published = published { true } else { false }
    try tidy(recipe, in: catalog, isNew: isNew, events: events)
    return BuildResult(published.release, isNew: isNew)
  }

  /// Adds what lies beside the image: lock, recipe, lists of packages and files, bills of materials.
  private func addDocuments(
    to staging: Staging, _ files: FileList?, _ draft: Manifest
  ) throws {
    try staging.add(
      Array(inputs.lockText.utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
    // For 'diff', which names its lines; a recipe that is no file (a pipe) is left out.
    if let text = try? bytes(ofFile: FilePath(inputs.recipe.file)) {
      try staging.add(text, as: "recipe.toml", role: "recipe", mediaType: "application/toml")
    }
    try staging.add(
      Array(packageList(of: inputs.lock).utf8), as: "packages.txt", role: "packages",
      mediaType: "text/tab-separated-values")
    if let files { try staging.add(files) }
    try staging.add(BillOfMaterials(of: draft))
  }

  /// Options of the command line that bear on the result.
  private var options: [String: String] {
    var options: [String: String] = [:]
    for (name, value) in request.source.variables { options["set.\(name)"] = value }
    if request.isLocked { options["locked"] = "true" }
    if request.isOffline { options["offline"] = "true" }
    if let version { options["version"] = version.description }
    return options
  }
}

/// What follows a publication: links, the pointer's age, and the end of old versions.
///
/// The release is out by now: what fails here is told and does not fail the build. Only a pointer that
/// could not be renewed does, since clients would stop.
func tidy(
  _ recipe: Recipe, in catalog: Catalog, isNew: Bool, events: EventSink
) throws {
  let name = recipe.image.name
  let publish = recipe.publish
  let now = Timestamp(seconds: Int(time(nil)))
  if !isNew { try catalog.renew(name, at: now, expires: publish.expires) }
  do {
    let links = publish.links.map { FilePath($0) }.sorted { $0.string < $1.string }
    if try catalog.followers(name) != links { try catalog.follow(name, with: links) }
    let standard = Retention()
    let retention = Retention(keep: publish.keep ?? standard.keep, minAge: publish.minAge)
    if try catalog.retention(name) ?? standard != retention {
      try catalog.retain(name, retention)
    }
    if isNew, publish.keep != nil { _ = try catalog.collect(name, retention, at: now) }
  } catch let failure as CatalogFailure {
    events(.note("\(name) is published, but: \(failure)"))
  }
}

private func bytes(ofFile path: FilePath) throws -> [UInt8] {
  let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
  return try file.closeAfter {
    var status = stat()
    guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size < 16 << 20
    else { throw Errno.invalidArgument }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return Array(bytes[..<count])
  }
}
