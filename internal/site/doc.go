// Package site reads the declarative file of an installation, which says what
// accounts, realms, clients, users, roles and providers there shall be. Every
// complaint names the file, the line and the key.
//
//	accounts:
//	  - id: "123456789012"
//	    partition: aws
//	    alias: demo
//	    root: {email: root@example.com, password: {file: /run/secrets/root}}
//	realms:
//	  - name: shasta
//	    account: "123456789012"
//	    algorithm: RS256
//	    clients: [{id: shasta, public: true, grants: [password, refresh_token]}]
//	users:
//	  - {account: "123456789012", name: alice, realm: shasta, password: {env: ALICE}}
//	roles:
//	  - account: "123456789012"
//	    name: dev
//	    trust: {Version: "2012-10-17", Statement: […]}
//	providers:
//	  - {account: "123456789012", realm: shasta, client_ids: [shasta]}
//
// A secret is {file: PATH}, {env: NAME} or a plain string. ${env:NAME} inside
// any other value or key stands for a variable of the environment.
//
// It refuses to know the store, and whether what the file asks for is allowed:
// package directory judges and applies it.
package site
