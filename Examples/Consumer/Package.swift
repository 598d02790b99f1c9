// swift-tools-version:6.2
import PackageDescription

// A package that depends on SecureSockets and on packages that Swift servers and clients commonly use. CI resolves it, compiles the
// examples of the documentation in it (`.ci/examples`), and builds the other targets. The settings are stricter than those of most
// packages.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [
        // The name is needed if the clone's folder has a different one.
        .package(
            name: "secure-sockets", path: "../..",
            traits: ["ServiceLifecycleSupport", "MetricsSupport", "TracingSupport", "ConfigurationSupport", "NIOSSLSupport"]),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.11.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.98.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.3.0"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.0.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
    ],
    targets: [
        .executableTarget(
            name: "Documentation",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "ClassicSSL", package: "secure-sockets"),
                .product(name: "SecureSocketsNIO", package: "secure-sockets"),
                .product(name: "SecureSocketsRedis", package: "secure-sockets"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DocumentationTests",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "SecureSocketsTesting", package: "secure-sockets"),
            ],
            swiftSettings: settings
        ),
        // These two compile in the copy only, where `.ci/examples` adds the functions of an article each.
        .testTarget(
            name: "RunningTests",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "SecureSocketsTesting", package: "secure-sockets"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "UpgradeTests",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "SecureSocketsTesting", package: "secure-sockets"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "BesideHummingbird",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BesideClients",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
