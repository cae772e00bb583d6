// Package openid tries logins by OpenID Connect against a provider of others.
package openid
