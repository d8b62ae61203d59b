"""What the archive writes itself of the OHIF viewer: its page, its configuration, and the policy of both."""

from typing import Final

import orjson

from dicomweb.ohif_files import Prepared
from dicomweb.urls import Outside

PLACE: Final = "/viewer"
_POLICIES: Final = {
    "default-src": "'none'",
    "script-src": "'self' 'unsafe-eval'",  # it compiles array accessors to show a segmentation
    "worker-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",  # it styles its elements as it goes
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "object-src": "'self' blob:",
    "frame-src": "'self' blob:",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{name} {value}" for name, value in _POLICIES.items())
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hilum · OHIF viewer</title>
<link rel="icon" href="{place}assets/favicon.ico">
<link rel="manifest" href="{place}manifest.json" crossorigin="use-credentials">
{styles}
<script defer src="{place}app-config.js"></script>
{scripts}
</head>
<body>
<noscript>The viewer needs JavaScript.</noscript>
<div id="react-portal"></div>
<div id="root"></div>
</body>
</html>
"""
_SCRIPT: Final = """window.PUBLIC_URL = {place};
window.browserImportFunction = (name) => import(name);
window.config = {config};
window.config.httpErrorHandler = (error) => console.warn("not the answer that was hoped for", error?.status);
"""
_PROGRESSIVE: Final = {
    "stages": [
        {"id": "first", "retrieveType": "singleFast"},
        {"id": "rest", "retrieveType": "singleFinal"},
    ],
    "retrieveOptions": {
        "default": {"rangeIndex": -1},
        "singleFast": {"rangeIndex": 0, "chunkSize": 32768},
        "singleFinal": {"rangeIndex": -1},
    },
}
"""The image that is looked at comes in two ranges of bytes; where its transfer syntax allows it, it is shown
after the first. The others come whole."""


def page(viewer: Prepared, outside: Outside) -> str:
    place = _place(outside)
    return _PAGE.format(
        place=place,
        styles="\n".join(f'<link rel="stylesheet" href="{place}{name}">' for name in viewer.styles),
        scripts="\n".join(f'<script defer src="{place}{name}"></script>' for name in viewer.scripts),
    )


def configuration(outside: Outside) -> str:
    """A script that says where the viewer and the archive are, seen from the browser."""
    place = _place(outside)
    config = {
        "routerBasename": place.rstrip("/"),
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "showErrorDetails": "production",
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 25},
        "defaultDataSourceName": "hilum",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "hilum",
                "configuration": _source(outside.dicomweb),
            }
        ],
    }
    return _SCRIPT.format(place=_javascript(place), config=_javascript(config))


def _source(root: str) -> dict[str, object]:
    return {
        "friendlyName": "Hilum",
        "name": "hilum",
        "qidoRoot": root,
        "wadoRoot": root,
        "wadoUriRoot": root,
        "qidoSupportsIncludeField": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "supportsReject": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "omitQuotationForMultipartRequest": True,
        "dicomUploadEnabled": True,
        "singlepart": "bulkdata,video,pdf",
        "bulkDataURI": {"enabled": True},
        "stackRetrieveOptions": _PROGRESSIVE,
    }


def _javascript(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _place(outside: Outside) -> str:
    """The path of the viewer as the browser sees it."""
    return f"{outside.path}{PLACE}/"
