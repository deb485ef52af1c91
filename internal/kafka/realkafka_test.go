package kafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

// The listener of these tests, as lines of server.properties; %s is the protocol of the listener, its keystore, its authority.
const secureListener = `
listener.security.protocol.map=CLIENT:%s,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.client.ssl.keystore.type=PEM
listener.name.client.ssl.keystore.location=%s
listener.name.client.ssl.truststore.type=PEM
listener.name.client.ssl.truststore.location=%s
`

const scramAndPlain = `
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_` + testUser + `="` + testPassword + `";
`

type secureCase struct {
	name string
	addr string
	s    Security
	want Reason // "" is a working login
	says []string
}

// The same as TestSecuredListeners, as far as Kafka and its fake may differ.
func TestSecuredKafka(t *testing.T) {
	t.Parallel()
	pki := kafkatest.NewPKI(t, "cluster authority")
	stranger := kafkatest.NewPKI(t, "another authority")
	ca := TLS{CAFile: pki.CAFile}
	client, strangersCert := pki.Issue("client", kafkatest.Valid()), stranger.Issue("client", kafkatest.Valid())
	keystore := pki.Issue("broker", kafkatest.Valid(), "127.0.0.1").KeystoreFile
	users := []string{"SCRAM-SHA-512=[name=" + testUser + ",password=" + testPassword + "]"}

	t.Run("SASL_SSL", func(t *testing.T) {
		t.Parallel()
		k := kafkatest.StartOwnKafka(t, localkafka.Options{
			ExtraConfig: fmt.Sprintf(secureListener, SASLSSL, keystore, pki.CAFile) + scramAndPlain,
			ScramUsers:  users,
		})
		secure, plain := k.Addrs[0], k.Listeners()["INTERNAL"][0]
		runSecureCases(t, []secureCase{
			{"SCRAM-SHA-512", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, testPassword), TLS: ca}, "", nil},
			{"PLAIN", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismPlain, testPassword), TLS: ca}, "", nil},
			{"wrong password, SCRAM", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, "wr0ng-word"), TLS: ca}, LoginRefused, []string{`SCRAM-SHA-512 login as "bridge" was refused`}},
			{"wrong password, PLAIN", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismPlain, "wr0ng-word"), TLS: ca}, LoginRefused, []string{`PLAIN login as "bridge" was refused`}},
			{"mechanism that is not offered", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram256, testPassword), TLS: ca}, MechanismRefused, []string{"SCRAM-SHA-256", "sasl.enabled.mechanisms"}},
			{"no login", secure, Security{Protocol: SSL, TLS: ca}, LoginNeeded, []string{"SASL_SSL"}},
			{"wrong authority", secure, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, testPassword), TLS: TLS{CAFile: stranger.CAFile}}, UnknownCA, []string{stranger.CAFile}},
			{"wrong name", secure, Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile, ServerName: "kafka-2.example.com"}}, WrongName, []string{"127.0.0.1"}},
			{"plain to a TLS listener", secure, Security{}, NeedsTLS, []string{"TLS listener"}},
			{"TLS to a plain listener", plain, Security{Protocol: SSL, TLS: ca}, NotTLS, []string{"plain listener"}},
			{"login at a plain listener", plain, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismScram512, testPassword)}, LoginRefused, []string{"takes no login"}},
			{"plain listener", plain, Security{}, "", nil},
		})
	})
	t.Run("mutual TLS", func(t *testing.T) {
		t.Parallel()
		k := kafkatest.StartOwnKafka(t, localkafka.Options{
			ExtraConfig: fmt.Sprintf(secureListener, SSL, keystore, pki.CAFile) + "listener.name.client.ssl.client.auth=required\n",
		})
		withCert := func(l kafkatest.Leaf) TLS {
			return TLS{CAFile: pki.CAFile, CertFile: l.CertFile, KeyFile: l.KeyFile}
		}
		runSecureCases(t, []secureCase{
			{"client certificate", k.Addrs[0], Security{Protocol: SSL, TLS: withCert(client)}, "", nil},
			{"no client certificate", k.Addrs[0], Security{Protocol: SSL, TLS: ca}, ClientCertNeeded, []string{"security.tls.cert_file"}},
			{"another authority's client certificate", k.Addrs[0], Security{Protocol: SSL, TLS: withCert(strangersCert)}, ClientCertNeeded, []string{strangersCert.CertFile}},
		})
	})
}

func runSecureCases(t *testing.T, cases []secureCase) {
	for i, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			c := Cluster{Brokers: []string{tt.addr}, Security: tt.s, ConnectTimeout: 5 * time.Second, Replication: 1}
			a, err := NewAdmin(c)
			if tt.want != "" {
				wantConnectError(t, err, tt.want, tt.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			useCluster(t, a, fmt.Sprintf("t%d-", i))
		})
	}
}

// useCluster creates topics, writes and reads through the connection.
func useCluster(t *testing.T, a *Admin, prefix string) {
	t.Helper()
	specs := []TopicSpec{{Name: prefix + "identity", Cluster: StateCluster, Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}}
	if _, err := a.Create(t.Context(), mustPlan(t, a, specs)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // writes, then reads
		if err := CheckIdentity(t.Context(), a, specs[0].Name, []string{specs[0].Name}, nil); err != nil {
			t.Error(err)
		}
	}
}

// As TestProducerSurvivesABrokerRestart: here the broker recovers its log and the producer's sequence numbers.
func TestProducerSurvivesAKafkaRestart(t *testing.T) {
	t.Parallel()
	k := kafkatest.StartOwnKafka(t, localkafka.Options{})
	const n = 20_000
	kafkatest.CreateTopic(t, k.Addrs, "t", 1, nil)
	d := &countingDialer{}
	s := startSending(t, Cluster{Brokers: k.Addrs, Replication: 1}, d, "t", n)
	s.send(0, n/2)
	s.waitAcked(n / 4)
	k.Stop()
	s.send(n/2, n)
	kafkatest.Eventually(t, "a refused connection", func() bool { return d.failed() >= 1 })
	k.StartAgain()
	s.wait()
	wantNumbers(t, k.Addrs, "t", n)
}

// What Negotiate takes Kafka for; sarama must agree that it can talk to it.
func TestNegotiateWithKafka(t *testing.T) {
	tg := kafkatest.Kafka(t)
	v, err := Cluster{Brokers: tg.Addrs}.Negotiate(nil)
	if err != nil || !v.IsAtLeast(sarama.V2_8_0_0) {
		t.Errorf("version %s, error %v; want 2.8 or newer", v, err)
	}
}
