// swift-tools-version: 6.2
import PackageDescription

// One target is one room; docs/rooms.md lists every arrow, and a test compares the two.

let everywhere: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// Numeric rooms are optimised in debug too: their tests run millions of steps.
let numeric: [SwiftSetting] = everywhere + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let http: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
  .product(name: "NIOHTTP1", package: "swift-nio"),
]

func library(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: numeric)
}

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: everywhere)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: everywhere)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], data: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: data, swiftSettings: everywhere)
}

/// What several test targets share; it stands beside them.
func support(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: everywhere)
}

let package = Package(
  name: "twind",
  products: [
    .executable(name: "twind", targets: ["twind"]),
    .executable(name: "twinctl", targets: ["twinctl"]),
    .executable(name: "twind-foundation", targets: ["twind-foundation"]),
    .executable(name: "twind-learn", targets: ["twind-learn"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
  ],
  targets: [
    // C libraries: module maps alone.
    library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    library("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
    library("CModbus", pkgConfig: "libmodbus", apt: "libmodbus-dev"),
    library("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
    library("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
    library("CMosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
    library("CPostgreSQL", pkgConfig: "libpq", apt: "libpq-dev"),
    library("CLibcrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
    // The shim: libcrypto's types are opaque or macros, which Swift cannot call.
    .target(name: "CCrypto", dependencies: ["CLibcrypto"]),
    .target(name: "CLinux"),
    .target(name: "CFMI"),

    // Pure rooms: synchronous values, no clock, no I/O, no libm.
    pure("TwinCore"),
    pure("SeriesCodec", ["TwinCore"]),
    pure("Guard", ["TwinCore"]),
    pure("TwinGraph", ["TwinCore"]),
    pure("LinearAlgebra", ["TwinCore"]),
    pure("Models", ["LinearAlgebra", "TwinCore"]),
    pure("Calibration", ["LinearAlgebra", "Models", "TwinCore"]),
    pure("Agents", ["TwinCore"]),
    pure("SiteKernel", ["TwinCore", "Guard", "Models", "Agents"]),

    // Rooms that own an effect.
    room("Seams", ["CLinux", "TwinCore"]),
    room("SQLite", ["CSQLite", "Seams", "TwinCore"]),
    room("Sodium", ["CSodium", "TwinCore"]),
    room("YAML", ["CYAML", "TwinCore"]),
    room("Modbus", ["CModbus", "Seams", "TwinCore"]),
    room("Provenance", ["Sodium", "TwinCore"]),
    room("MQTT", ["CMosquitto", "Seams", "TwinCore"]),
    room("X509", ["CCrypto", "TwinCore"]),
    room("PostgreSQL", ["CPostgreSQL", "TwinCore"]),
    room("FMI", ["CFMI", "Seams", "TwinCore"]),
    room("DeltaLog", ["Provenance", "SQLite", "Seams", "Sodium", "TwinCore"]),
    room("Sync", ["DeltaLog", "Provenance", "Seams", "Sodium", "TwinCore"]),
    room("Ledger", ["PostgreSQL", "Provenance", "SQLite", "Seams", "Sodium", "Sync", "TwinCore"]),
    room("Parquet", ["CZstd", "TwinCore"]),
    room("FeatureStore", ["SQLite", "Seams", "SeriesCodec", "Sodium", "TwinCore"]),
    room("Export", ["FeatureStore", "Parquet", "TwinCore"]),
    room("GraphStore", ["SQLite", "Seams", "TwinCore", "TwinGraph"]),
    room("Simulation", ["Seams"]),
    room("Collectors", ["Modbus", "Seams", "TwinCore"]),
    room("Actuation", ["Collectors", "FeatureStore", "Guard", "Seams", "TwinCore"]),
    room(
      "SitePack",
      ["Agents", "Collectors", "Guard", "Models", "Provenance", "SiteKernel", "TwinCore", "TwinGraph", "YAML"]),
    room("Plants", ["Collectors", "Modbus", "SitePack", "TwinCore"]),
    room("Harnesses", ["FeatureStore", "Guard", "Models", "SiteKernel", "Sodium", "TwinCore"]),
    room(
      "Training",
      [
        "Calibration", "FeatureStore", "Harnesses", "Models", "Provenance", "Seams", "SiteKernel", "SitePack", "Sodium",
        "TwinCore", "YAML",
      ]),
    room("StatusAPI", http + ["CLinux", "Seams", "TwinCore"]),
    room(
      "EdgeService",
      [
        "Actuation", "Agents", "Collectors", "DeltaLog", "FeatureStore", "GraphStore", "Guard", "Harnesses", "MQTT",
        "Models", "Modbus", "Provenance", "SQLite", "Seams", "SiteKernel", "SitePack", "Sodium", "StatusAPI", "Sync",
        "Training", "TwinCore", "X509", "YAML", lifecycle, logging,
      ]),

    room(
      "FoundationService",
      [
        "DeltaLog", "Ledger", "MQTT", "Provenance", "Seams", "SitePack", "Sodium", "StatusAPI", "Sync", "TwinCore",
        "X509", "YAML", lifecycle, logging,
      ]),

    program(
      "twind",
      [
        "CLinux", "Collectors", "EdgeService", "Modbus", "Plants", "Provenance", "Seams", "SitePack", "Sync",
        "TwinCore",
        arguments, lifecycle, logging,
      ]),
    program(
      "twind-learn",
      [
        "Harnesses", "Models", "Seams", "SiteKernel", "SitePack", "StatusAPI", "Training", "TwinCore", arguments,
      ]),
    program(
      "twind-foundation", ["FoundationService", "Seams", "SitePack", "TwinCore", arguments, lifecycle, logging]),
    program(
      "twinctl",
      [
        "DeltaLog", "Export", "FeatureStore", "GraphStore", "Harnesses", "Models", "Provenance", "Seams", "SiteKernel",
        "SitePack",
        "Sodium", "StatusAPI", "Sync", "TwinCore", "TwinGraph", arguments,
      ]),
    program(
      "twind-bench",
      [
        "Agents", "Calibration", "DeltaLog", "Export", "FeatureStore", "GraphStore", "Guard", "Harnesses", "Ledger",
        "MQTT",
        "Models", "Parquet", "Provenance", "Seams", "SeriesCodec", "SiteKernel", "SitePack",
        "Sodium", "Sync", "TwinCore", "TwinGraph",
      ]),
    tests("YAMLTests", ["YAML", "TwinCore"]),
    tests("ProvenanceTests", ["Provenance", "Sodium", "TwinCore"], data: ["Vectors"]),
    support("Broker", ["TwinCore", "X509"]),
    tests("MQTTTests", ["Broker", "MQTT", "Seams", "TwinCore", "X509"]),
    tests("X509Tests", ["TwinCore", "X509"]),
    support("PostgreSQLServer"),
    tests("PostgreSQLTests", ["PostgreSQL", "PostgreSQLServer", "TwinCore"]),
    tests("DeltaLogTests", ["DeltaLog", "Provenance", "SQLite", "Seams", "Simulation", "Sodium", "TwinCore"]),
    tests("SyncTests", ["DeltaLog", "Provenance", "Seams", "Sodium", "Sync", "TwinCore"]),
    tests(
      "LedgerTests",
      [
        "Ledger", "PostgreSQL", "PostgreSQLServer", "Provenance", "SQLite", "Seams", "Sodium", "Sync",
        "TwinCore",
      ]),
    tests("TwinCoreTests", ["TwinCore"], data: ["Vectors"]),
    tests(
      "SitePackTests",
      [
        "SitePack", "Agents", "Collectors", "Guard", "Models", "Provenance", "SiteKernel", "TwinCore", "TwinGraph",
        "YAML",
      ]),
    tests("TwinGraphTests", ["TwinGraph", "TwinCore"]),
    tests("ModbusTests", ["Modbus", "Seams", "TwinCore"]),
    tests("SQLiteTests", ["SQLite", "Seams", "TwinCore"]),
    tests("SeriesCodecTests", ["SeriesCodec", "TwinCore"], data: ["Golden"]),
    tests("ExportTests", ["Export", "FeatureStore", "Parquet", "TwinCore"]),
    tests("ParquetTests", ["Parquet", "TwinCore"]),
    tests("GraphStoreTests", ["GraphStore", "SQLite", "Seams", "TwinCore", "TwinGraph"]),
    tests(
      "SimulationTests", ["Simulation", "FeatureStore", "GraphStore", "SQLite", "Seams", "SeriesCodec", "TwinCore"]),
    tests("FeatureStoreTests", ["FeatureStore", "SQLite", "Seams", "SeriesCodec", "Sodium", "TwinCore"]),
    tests("CollectorsTests", ["Collectors", "Modbus", "Seams", "TwinCore"]),
    tests("PlantsTests", ["Plants", "TwinCore"]),
    tests("TidyTests", []),
    support("CompilerProof"),
    tests("GuardTests", ["CompilerProof", "Guard", "TwinCore"]),
    tests("AgentsTests", ["Agents", "TwinCore"]),
    tests("LinearAlgebraTests", ["LinearAlgebra", "TwinCore"]),
    tests("ModelsTests", ["LinearAlgebra", "Models", "TwinCore"]),
    tests("CalibrationTests", ["Calibration", "LinearAlgebra", "Models", "TwinCore"]),
    tests("SiteKernelTests", ["SiteKernel", "Agents", "Guard", "LinearAlgebra", "Models", "Sodium", "TwinCore"]),
    tests(
      "TrainingTests",
      [
        "Calibration", "FeatureStore", "Harnesses", "Models", "Provenance", "Seams", "SiteKernel", "Sodium", "Training",
        "TwinCore",
      ]),
    tests(
      "HarnessesTests",
      ["Agents", "Guard", "Harnesses", "LinearAlgebra", "Models", "SiteKernel", "Sodium", "TwinCore"]),
    tests("FMITests", ["FMI"]),
    tests("StatusAPITests", ["StatusAPI", "Seams", "TwinCore"]),
    tests("TwinctlTests", ["twinctl", "Harnesses", "Models", "Seams", "SiteKernel", "StatusAPI", "TwinCore"]),
    tests(
      "EdgeServiceTests",
      [
        "EdgeService", "FeatureStore", "MQTT", "Models", "Provenance", "Seams", "SiteKernel", "Sodium", "StatusAPI",
        "Sync", "Training", "TwinCore", "X509", logging,
      ]),
    tests(
      "FoundationServiceTests",
      [
        "FoundationService", "Ledger", "Provenance", "Seams", "Sodium", "StatusAPI", "Sync", "TwinCore", "X509",
        logging,
      ]),
    tests("SystemTests", ["twind", "twinctl", "StatusAPI", "FeatureStore", "TwinCore"]),
    tests(
      "ActuationTests", ["Actuation", "Collectors", "CompilerProof", "FeatureStore", "Guard", "Seams", "TwinCore"]),
  ]
)
