import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let extensions = ChainGroup(
        "Extensions",
        [
            ChainCase("The leaf has a critical extension that is unknown", .refused(.unknownExtension)) {
                try chainOfServer { $0.set(.unknown.critical()) }
            },
            ChainCase("The intermediate has a critical extension that is unknown", .refused(.unknownExtension)) {
                try chainWithIntermediate { $0.set(.unknown.critical()) }
            },
            ChainCase("The trusted root has a critical extension that is unknown", .refused(.unknownExtension)) {
                try chainWithRoot { $0.set(.unknown.critical()) }
            },
            ChainCase("The leaf has an extension that is unknown and not critical", .accepted) {
                try chainOfServer { $0.set(.unknown) }
            },
            ChainCase("The intermediate has an extension that is unknown and not critical", .accepted) {
                try chainWithIntermediate { $0.set(.unknown) }
            },
            ChainCase("The leaf has the same unknown extension twice", .refused(.malformed), why: .duplicate) {
                try chainOfServer { $0.extensions += [.unknown, .unknown] }
            },
            ChainCase("The leaf has alternative names twice", .refused(.malformed)) {
                try chainOfServer { $0.extensions.append(.alternativeNames([.dns("www.example.com")])) }
            },
            ChainCase("The intermediate has basic constraints twice", .refused(.malformed)) {
                try chainWithIntermediate { $0.extensions.append(.basicConstraints(isAuthority: false)) }
            },
            ChainCase("The intermediate's basic constraints cannot be decoded", .refused(.malformed)) {
                try chainWithIntermediate {
                    $0.set(ExtensionValue(ExtensionValue.basicConstraintsID, isCritical: true, .utf8String("CA:TRUE")))
                }
            },
            ChainCase("The leaf's extended key usage cannot be decoded", .refused(.malformed)) {
                try chainOfServer { $0.set(ExtensionValue(ExtensionValue.extendedKeyUsageID, .utf8String("server"))) }
            },
            ChainCase("The subject is empty, and the alternative names are critical", .accepted) {
                try chainOfServer {
                    $0.subject = .emptyName
                    $0.set(.alternativeNames([.dns("www.example.org")]).critical())
                }
            },
            ChainCase("The subject is empty, and the alternative names are not critical", .accepted) {
                try chainOfServer { $0.subject = .emptyName }
            },
            ChainCase("The leaf has version 1; no name is asked for", host: nil, .accepted) {
                try chainOfServer { $0.version = 1 }
            },
            ChainCase("The leaf has version 1; a name is asked for", .refused(.wrongName)) {
                try chainOfServer { $0.version = 1 }
            },
        ])
}
