import DevelopmentCertificates
import TestSupport

/// A leaf that its root has signed with MD5. Written once with `openssl ca`, because the writer does not sign with MD5.
enum MD5Chain {
    static let chain = Chain(sent: [leaf], trusted: [root], key: key)

    private static let root = """
        -----BEGIN CERTIFICATE-----
        MIIC9jCCAd6gAwIBAgIUEuCU+Rq5gRkPctElnm2Oi8mu1l0wDQYJKoZIhvcNAQEL
        BQAwEzERMA8GA1UEAwwITUQ1IHJvb3QwHhcNMjQwMTAxMDAwMDAwWhcNNDkwMTAx
        MDAwMDAwWjATMREwDwYDVQQDDAhNRDUgcm9vdDCCASIwDQYJKoZIhvcNAQEBBQAD
        ggEPADCCAQoCggEBAO+JTtxp4wNBYWqGltsqkBUfJwP7E4nk+7RppYxjdXlc59nl
        TH+e7zQqfOTtAiYOtpRFgJEz0ZzLd2J9o5d65nH8beljbW2RVTMzs1xzx/VT3t6l
        vlGMHLwAbquRmhgr5oBf/XTP8nJw0BkPKdUx5jqGXq3DLMnSkS92GZGGdWI2Xv9u
        2IIlmBjpdqxIlGWe+hBKgIp9+EMsKUFTao2h+h6GnB93EYujOAcDmXZXOzV//W7U
        YyasTHsPERpoc3kbtJlYEOIQA66E4JdJkUFBtlKluwAH/JCjs9xIaoFmlxj7C8oU
        7rURUxoBYBKE/nmRHEGM2j3dXMM3oSYIKYHFM9ECAwEAAaNCMEAwDwYDVR0TAQH/
        BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFN89+FzIDQlow2BaSwLz
        iNKlkR26MA0GCSqGSIb3DQEBCwUAA4IBAQCobCFbQGx0Sz8dN6zzy13IYyh7Ne6C
        CU+xqe3jZJ+E7sojJXxJPzdvwL93DBIXLTFvuhBqeKDnVRamTzTGB6mfEr7ym/Vn
        aDdCjIwRjAwhPHeyTVMApcpSyVagoEJPuYvDlCxlDinEuO/EN49PX505ns30z/Ye
        zj9ejN+Fdr+mIEEN0y0ovLL5552RW0Uy3x4O1uK8n8MeWsYeriy/BOn1gic7YS7D
        mjX2BCb6hjhAK1hZm/7MkYpOYtLZoGte9b1Em56QfMdVscemp32KD4PBoxILogu7
        UY9iZ6Rxe+kbhV2Jx6dPEZP9IAbxvXrFnb79dkQu1d8OsqWpgVD68bbz
        -----END CERTIFICATE-----

        """

    private static let leaf = """
        -----BEGIN CERTIFICATE-----
        MIICbjCCAVagAwIBAgIUJNqvlfDataI+5y/SCYGzP5DmITwwDQYJKoZIhvcNAQEE
        BQAwEzERMA8GA1UEAwwITUQ1IHJvb3QwHhcNMjQwMTAxMDAwMDAwWhcNNDkwMTAx
        MDAwMDAwWjATMREwDwYDVQQDDAhNRDUgbGVhZjBZMBMGByqGSM49AgEGCCqGSM49
        AwEHA0IABEslnQDR7HAiwl97pBYcu7WofyUksPThjHIkkgISWx0PWbpiek/PJa9x
        JPU1bYha3pbuIchAnUb6W7sOnkEgnQCjgYQwgYEwGgYDVR0RBBMwEYIPd3d3LmV4
        YW1wbGUub3JnMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDATAd
        BgNVHQ4EFgQUwH9wDJQgTfn3HF2Fl2CscNdUacgwHwYDVR0jBBgwFoAU3z34XMgN
        CWjDYFpLAvOI0qWRHbowDQYJKoZIhvcNAQEEBQADggEBABou6P1/L2HQQwbEWhm/
        2p1IKB05ktg/gFtg03/7BmuTldYMoXEW4BQ2FwN9goMJ1PT15ejgmYTJeJUEGMVh
        xBF+WmWK3RkpHy/1DHj8+b3ZrphFkN1S1mVnYvhbtwnAdi+Rkn1Nx9vdycn+UW7G
        OUpSad2SPKplAvuDTeEwLHhNsskzQdjb1bvKL/r1CzG2fr1Lp34ZV0zUBVGSxE16
        sQ5zIwu3zcjQBTgEsKzJNHUqltO+9FVfOpbt2ESzuiZiquoTBZTRWu/t7VsQrrZG
        hM3qT6t8RGso2rJY9WEWDAV6hwmXxYfmd5IKlOl1a5rVXZeff45WMsSnKFHZEA5i
        UnY=
        -----END CERTIFICATE-----

        """

    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgw7Mk9tjoVsBmBCRf
        cQBF+hbOsS5nS53JQV0MckmhxGChRANCAARLJZ0A0exwIsJfe6QWHLu1qH8lJLD0
        4YxyJJICElsdD1m6YnpPzyWvcST1NW2IWt6W7iHIQJ1G+lu7Dp5BIJ0A
        -----END PRIVATE KEY-----

        """
}
