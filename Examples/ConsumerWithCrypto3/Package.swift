// swift-tools-version:6.2
import PackageDescription

// A package that requires swift-crypto 3, as many still do, beside SecureSockets and other packages that support it. CI resolves it.
let package = Package(
    name: "consumer-with-crypto-3",
    platforms: [.macOS(.v15)],
    dependencies: [
        // The name is needed if the clone's folder has a different one.
        .package(name: "secure-sockets", path: "../.."),
        .package(url: "https://github.com/apple/swift-crypto.git", "3.12.3"..<"4.0.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    ],
    targets: [
        .executableTarget(
            name: "Digest",
            dependencies: [
                .product(name: "SecureSockets", package: "secure-sockets"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ])
    ]
)
