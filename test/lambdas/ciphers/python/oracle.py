"""What Python's cryptography makes of keys and ciphertexts. Reads one JSON object on stdin, prints one.

`python3 oracle.py < request.json`; `echo '{"do": "vectors"}' | python3 oracle.py` made vectors.json.
"""
import base64
import json
import sys

import cryptography
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Keys of no use anywhere: 32 bytes 0, 1, 2 … and 64, 65, 66 …
NEW = base64.urlsafe_b64encode(bytes(range(32))).decode()
OLD = base64.urlsafe_b64encode(bytes(range(64, 96))).decode()
TEXTS = ["", "a", "fifteen chars..", "sixteen chars...", "ünïcode ✓", "x" * 300]


def token(key, text, time):
    return Fernet(key).encrypt_at_time(text.encode(), time).decode()


def vectors():
    old = [{"text": text, "token": token(OLD, text, 1700000000 + at)} for at, text in enumerate(TEXTS)]
    ring = MultiFernet([Fernet(NEW), Fernet(OLD)])
    return {
        "madeBy": "cryptography " + cryptography.__version__ + ", oracle.py, vectors()",
        "newKey": NEW,
        "oldKey": OLD,
        "single": old,
        "multi": [{"text": text, "token": ring.encrypt_at_time(text.encode(), 1700000100).decode()} for text in TEXTS],
        "rotated": [
            {**one, "rotated": ring.rotate(one["token"].encode()).decode(), "timestamp": 1700000000 + at}
            for at, one in enumerate(old)
        ],
    }


def opened(request):
    ring = MultiFernet([Fernet(key) for key in request["keys"]])
    return {
        "texts": [ring.decrypt(one.encode()).decode() for one in request["tokens"]],
        "timestamps": [ring.extract_timestamp(one.encode()) for one in request["tokens"]],
    }


def sealed(request):
    return {"tokens": [token(request["key"], text, request["time"]) for text in request["texts"]]}


def gcm_opened(request):
    cipher = AESGCM(bytes.fromhex(request["key"]))
    whole = bytes.fromhex(request["sealed"])
    return {"text": cipher.decrypt(whole[:12], whole[12:], request["aad"].encode()).decode()}


def gcm_sealed(request):
    cipher, nonce = AESGCM(bytes.fromhex(request["key"])), bytes(range(12))
    return {"sealed": (nonce + cipher.encrypt(nonce, request["text"].encode(), request["aad"].encode())).hex()}


request = json.load(sys.stdin)
acts = {
    "vectors": lambda _: vectors(),
    "open": opened,
    "seal": sealed,
    "gcm-open": gcm_opened,
    "gcm-seal": gcm_sealed,
}
json.dump(acts[request["do"]](request), sys.stdout, indent=1, ensure_ascii=False)
