// swift-tools-version:6.2
import PackageDescription

/// The settings of every target of this package.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// The products of other packages with which `Sources/SecureSockets/Integrations` works, each of them under its trait.
let integrations: [Target.Dependency] = [
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycleSupport"])),
    .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["MetricsSupport"])),
    .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["TracingSupport"])),
    .product(name: "Configuration", package: "swift-configuration", condition: .when(traits: ["ConfigurationSupport"])),
]

/// NIOSSL, from whose configurations `Sources/SecureSocketsNIO/Integrations` makes those of this package. `TLSEngine` needs its package
/// in any case.
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["NIOSSLSupport"]))

let package = Package(
    name: "secure-sockets",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "SecureSockets", targets: ["SecureSockets"]),
        .library(name: "SecureSocketsNIO", targets: ["SecureSocketsNIO"]),
        .library(name: "SecureSocketsRedis", targets: ["SecureSocketsRedis"]),
        .library(name: "ClassicSSL", targets: ["ClassicSSL"]),
        .library(name: "SecureSocketsTesting", targets: ["SecureSocketsTesting"]),
        .executable(name: "tls", targets: ["TLSCommand"]),
    ],
    traits: [
        .trait(
            name: "ServiceLifecycleSupport",
            description: "Listeners are services of swift-service-lifecycle (`SecureListener.service`)."),
        .trait(
            name: "MetricsSupport",
            description: "Listeners report their statistics to swift-metrics (`SecureListener.reportMetrics`)."),
        .trait(
            name: "TracingSupport",
            description: "Connecting and handshakes are spans of swift-distributed-tracing."),
        .trait(
            name: "ConfigurationSupport",
            description: "TLS configurations are read with a `ConfigReader` of swift-configuration."),
        .trait(
            name: "NIOSSLSupport",
            description: "The configurations of SecureSocketsNIO are made from a `TLSConfiguration` of NIOSSL."),
    ],
    dependencies: [
        // CONTRIBUTING.md, "Versions of dependencies", has the reasons for the lower bounds.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.98.0"),
        // `CNIOBoringSSL` is not a declared product and has no stable interface, so CI builds and tests with the newest release. Up to 2.37.2,
        // its functions have other names in Swift (`CNIOBoringSSL_SSL_new`).
        .package(url: "https://github.com/apple/swift-nio-ssl.git", "2.37.6"..<"3.0.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.11.0"),
        // Fetched only with the trait that uses them (`integrations`).
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.3.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.0.0"),
    ],
    targets: [
        .target(
            name: "TLSEngine",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings
        ),
        .target(name: "CEpoll"),
        .target(
            name: "SocketCore",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "SecureSockets",
            dependencies: [
                "TLSEngine", "SocketCore", "CEpoll",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ] + integrations,
            swiftSettings: settings
        ),
        .target(
            name: "SecureSocketsNIO",
            dependencies: [
                "SecureSockets", "TLSEngine",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                nioSSL,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "SecureSocketsRedis",
            dependencies: [
                "SecureSockets", "TLSEngine",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "ClassicSSL",
            dependencies: [
                "SecureSockets", "SocketCore", "TLSEngine",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "DevelopmentCertificates",
            dependencies: [.product(name: "NIOSSL", package: "swift-nio-ssl")],
            swiftSettings: settings
        ),
        .target(
            name: "SecureSocketsTesting",
            dependencies: ["SecureSockets", "DevelopmentCertificates", "TLSEngine"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "TLSCommand",
            dependencies: [
                "SecureSockets", "SecureSocketsRedis", "SecureSocketsTesting", "DevelopmentCertificates", "TLSEngine",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ClassicChat",
            dependencies: ["ClassicSSL", "DevelopmentCertificates"],
            path: "Examples/ClassicChat",
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "TLSEngine", "SecureSockets", "SecureSocketsTesting", "DevelopmentCertificates",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/Support",
            swiftSettings: settings
        ),
        .testTarget(
            name: "TLSEngineTests",
            dependencies: [
                "TLSEngine", "SecureSockets", "SecureSocketsTesting", "TestSupport", "DevelopmentCertificates",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SocketCoreTests",
            dependencies: ["SocketCore", "TestSupport", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SecureSocketsTests",
            dependencies: [
                "SecureSockets", "SecureSocketsTesting", "SocketCore", "TestSupport", "TLSEngine", "DevelopmentCertificates",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SecureSocketsNIOTests",
            dependencies: [
                "SecureSocketsNIO", "SecureSockets", "SecureSocketsTesting", "TestSupport", "TLSEngine",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SecureSocketsRedisTests",
            dependencies: [
                "SecureSocketsRedis", "SecureSockets", "SecureSocketsTesting", "TestSupport", "TLSEngine",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(name: "CallCounter", path: "Tests/CallCounter"),
        .testTarget(
            name: "CostTests",
            dependencies: [
                "CallCounter", "SecureSockets", "TestSupport", .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ClassicSSLTests",
            dependencies: [
                "ClassicSSL", "SecureSockets", "SecureSocketsTesting", "SocketCore", "TestSupport", "DevelopmentCertificates",
                "TLSEngine",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "SecureSockets", "SecureSocketsTesting", "ClassicSSL", "TestSupport", "DevelopmentCertificates",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "SecureSockets", "SecureSocketsNIO", "SecureSocketsTesting", "TLSEngine", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                nioSSL,
                .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["MetricsSupport"])),
                .product(
                    name: "InMemoryTracing", package: "swift-distributed-tracing", condition: .when(traits: ["TracingSupport"])),
            ] + integrations,
            swiftSettings: settings
        ),
        .testTarget(
            name: "ChainVerdictTests",
            dependencies: [
                "SecureSockets", "SecureSocketsTesting", "TLSEngine", "TestSupport", "DevelopmentCertificates",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            exclude: ["Peers"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ClassicScriptTests",
            dependencies: [
                "ClassicSSL", "SecureSockets", "SecureSocketsTesting", "TestSupport", "DevelopmentCertificates",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DevelopmentCertificatesTests",
            dependencies: ["DevelopmentCertificates", "TestSupport", "TLSEngine"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SecureSocketsTestingTests",
            dependencies: [
                "SecureSocketsTesting", "SecureSockets", "TestSupport", .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TLSCommandTests",
            dependencies: [
                "TLSCommand", "SecureSockets", "SecureSocketsTesting", "DevelopmentCertificates", "TLSEngine", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
