// Package tigase registers devices as Tigase's push component does, with the
// ad-hoc commands register-device and unregister-device, and by HTTP for a device
// whose account cannot log in any more. Siskin and Snikket on iOS speak it. They
// look for a service that announces the id of their provider among its features.
//
// There is no secret: the node is hard to guess, and follows from the account and
// the token, so that only who knows both can end a registration.
//
// What the features of a registration offer (tigase:push:encrypt:0) is done by the
// account's server; here its result only passes through.
package tigase
