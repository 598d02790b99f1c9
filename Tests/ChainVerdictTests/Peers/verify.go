// Verifies the chains of a JSON list with crypto/x509, in the way crypto/tls does in a handshake, and writes a JSON list of verdicts:
// an empty string for a chain that is accepted, a short reason for one that is refused.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"regexp"
	"strings"
)

type chain struct {
	Sent, Trust, Host, Presenter string
}

func main() {
	input, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var chains []chain
	if err := json.Unmarshal(input, &chains); err != nil {
		panic(err)
	}
	verdicts := make([]string, len(chains))
	for i, c := range chains {
		if err := c.verify(); err != nil {
			verdicts[i] = short(err)
		}
	}
	output, err := json.Marshal(verdicts)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Args[2], output, 0o600); err != nil {
		panic(err)
	}
}

func (c chain) verify() error {
	sent, err := certificates(c.Sent)
	if err != nil {
		return err
	}
	trust, err := os.ReadFile(c.Trust)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		DNSName:       c.Host,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if c.Presenter == "client" {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	options.Roots.AppendCertsFromPEM(trust)
	for _, certificate := range sent[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err = sent[0].Verify(options)
	return err
}

// crypto/tls refuses a message with a certificate that it cannot parse.
func certificates(path string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list, nil
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, certificate)
	}
}

// Why the last candidate for an issuer was not taken, as far as the error says.
var hint = regexp.MustCompile(`possibly because of "(?:x509: )?(?:cannot verify signature: )?(?:invalid signature: )?(.*?)(?: \(temporarily.*)?" while`)

// The reason without names, dates and suppositions, which differ from run to run.
func short(err error) string {
	switch e := err.(type) {
	case x509.HostnameError:
		return "hostname mismatch"
	case x509.UnknownAuthorityError:
		if hint := hint.FindStringSubmatch(err.Error()); hint != nil {
			return hint[1]
		}
		return "unknown authority"
	case x509.CertificateInvalidError:
		switch e.Reason {
		case x509.Expired:
			return "expired or not yet valid"
		case x509.CANotAuthorizedForThisName:
			return "name constraints"
		case x509.NotAuthorizedToSign:
			return "not authorized to sign"
		case x509.TooManyIntermediates:
			return "too many intermediates"
		case x509.IncompatibleUsage:
			return "incompatible key usage"
		}
	}
	return strings.TrimPrefix(err.Error(), "x509: ")
}
