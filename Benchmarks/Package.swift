// swift-tools-version: 6.2
import PackageDescription

// Micro-benchmarks of the engines: a package of their own, so that the main one does not carry their
// harness. `swift package --package-path Benchmarks benchmark`, or as a part of `Benchmarks/run`.
let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "build-snapshot", path: ".."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .executableTarget(
      name: "Engines",
      dependencies: [
        .product(name: "Engines", package: "build-snapshot"),
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Engines",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
  ],
  swiftLanguageModes: [.v6]
)
