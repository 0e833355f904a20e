"""Found by Python before a client of FCM, which stays as it is: the hosts that it knows are
ours."""
import os
import socket

HOSTS = ("fcm.googleapis.com", "iid.googleapis.com", "oauth2.googleapis.com", "www.googleapis.com")
_getaddrinfo = socket.getaddrinfo


def _redirected(host, *args, **kwargs):
    return _getaddrinfo(os.environ["FCM_REDIRECT"] if host in HOSTS else host, *args, **kwargs)


socket.getaddrinfo = _redirected
