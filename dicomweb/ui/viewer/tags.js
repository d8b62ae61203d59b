// The attributes the viewer reads, by keyword, and how it reads them.

export const TAG = {
  SOPClassUID: "00080016", SOPInstanceUID: "00080018", StudyDate: "00080020", StudyTime: "00080030", AccessionNumber: "00080050", Modality: "00080060",
  InstitutionName: "00080080", StudyDescription: "00081030", SeriesDescription: "0008103E", RecommendedDisplayFrameRate: "00082144",
  PatientName: "00100010", PatientID: "00100020", PatientBirthDate: "00100030", PatientSex: "00100040", PatientAge: "00101010",
  BodyPartExamined: "00180015", CineRate: "00180040", SliceThickness: "00180050", FrameTime: "00181063", ImagerPixelSpacing: "00181164", ViewPosition: "00185101",
  StudyInstanceUID: "0020000D", SeriesInstanceUID: "0020000E", SeriesNumber: "00200011", InstanceNumber: "00200013", PatientOrientation: "00200020",
  ImagePositionPatient: "00200032", ImageOrientationPatient: "00200037", ImageLaterality: "00200062", SliceLocation: "00201041",
  NumberOfSeriesRelatedInstances: "00201209", PlanePositionSequence: "00209113", PlaneOrientationSequence: "00209116",
  SamplesPerPixel: "00280002", PhotometricInterpretation: "00280004", PlanarConfiguration: "00280006", NumberOfFrames: "00280008", Rows: "00280010", Columns: "00280011",
  PixelSpacing: "00280030", PixelAspectRatio: "00280034", BitsAllocated: "00280100", BitsStored: "00280101", HighBit: "00280102", PixelRepresentation: "00280103",
  WindowCenter: "00281050", WindowWidth: "00281051", RescaleIntercept: "00281052", RescaleSlope: "00281053", RescaleType: "00281054",
  WindowCenterWidthExplanation: "00281055", VOILUTFunction: "00281056",
  RedPaletteColorLookupTableDescriptor: "00281101", GreenPaletteColorLookupTableDescriptor: "00281102", BluePaletteColorLookupTableDescriptor: "00281103",
  RedPaletteColorLookupTableData: "00281201", GreenPaletteColorLookupTableData: "00281202", BluePaletteColorLookupTableData: "00281203",
  SegmentedRedPaletteColorLookupTableData: "00281221", SegmentedGreenPaletteColorLookupTableData: "00281222", SegmentedBluePaletteColorLookupTableData: "00281223",
  ModalityLUTSequence: "00283000", LUTDescriptor: "00283002", LUTData: "00283006", VOILUTSequence: "00283010",
  PixelMeasuresSequence: "00289110", FrameVOILUTSequence: "00289132", PixelValueTransformationSequence: "00289145", PresentationLUTShape: "20500020",
  SharedFunctionalGroupsSequence: "52009229", PerFrameFunctionalGroupsSequence: "52009230",
  EncapsulatedDocument: "00420011", MIMETypeOfEncapsulatedDocument: "00420012", DocumentTitle: "00420010",
  PixelData: "7FE00010", FloatPixelData: "7FE00008", DoubleFloatPixelData: "7FE00009",
  ValueType: "0040A040", ConceptNameCodeSequence: "0040A043", ConceptCodeSequence: "0040A168", ContentSequence: "0040A730", CodeMeaning: "00080104", TextValue: "0040A160",
  MeasuredValueSequence: "0040A300", NumericValue: "0040A30A", MeasurementUnitsCodeSequence: "004008EA", DateTime: "0040A120", Date: "0040A121", Time: "0040A122",
  PersonName: "0040A123", UID: "0040A124", CodeValue: "00080100", ReferencedSOPSequence: "00081199", ReferencedSOPInstanceUID: "00081155",
};

export const all = (dataset, keyword) => dataset?.[TAG[keyword]]?.Value ?? [];

export const one = (dataset, keyword, otherwise = "") => all(dataset, keyword)[0] ?? otherwise;

export const item = (dataset, keyword) => all(dataset, keyword)[0];

export const number = (dataset, keyword, otherwise = 0) => {
  const value = Number(one(dataset, keyword, Number.NaN));
  return Number.isFinite(value) ? value : otherwise;
};

export const numbers = (dataset, keyword) => all(dataset, keyword).map(Number);

export const has = (dataset, keyword) => TAG[keyword] in (dataset ?? {});
